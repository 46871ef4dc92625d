import { beforeEach, describe, expect, test } from "vitest";
import { BackupError } from "../../../src/domain/errors.ts";
import type { Finding } from "../../../src/domain/findings.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import type { VerifyLevel } from "../../../src/domain/verify-level.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { encodeManifest } from "../../../src/repository/manifest-codec.ts";
import { failing } from "../../fakes/failing.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { REPOSITORY } from "../../fakes/sample-backup.ts";
import { writeChain, type SampleChain } from "../../fakes/sample-chain.ts";
import { verified } from "../../fakes/verified.ts";

const QUICK: VerifyLevel = { kind: "quick" };
const CHECKSUMS: VerifyLevel = { kind: "checksums" };
const RECORDS: VerifyLevel = { kind: "records" };
const ALL: VerifyLevel = { kind: "sample", part: 1 };

let store: MemoryStore;
let chain: SampleChain;

beforeEach(async () => {
  store = memoryStore();
  chain = await writeChain(await createCatalog(store, REPOSITORY));
});

function keyOf({ id }: Manifest, name: string): string {
  return `backups/${id}/${name}`;
}

function flip(key: string, at: number): void {
  const kept = store.objects.get(key);
  if (kept === undefined) throw new Error(`no ${key}`);
  const bytes = Buffer.from(kept.bytes);
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at);
  store.objects.set(key, { ...kept, bytes });
}

/** The last byte of a segment, and where that is. */
function damageSegment(manifest: Manifest, queueName: string, number: number): string {
  const segment = manifest.queues.find(({ name }) => name === queueName)?.segments[number - 1];
  if (segment === undefined) throw new Error(`${queueName} has no segment ${number}`);
  const file = manifest.volumes[segment.volume - 1]?.name ?? "";
  flip(keyOf(manifest, file), segment.offset + segment.length - 1);
  return file;
}

function reseal(manifest: Manifest, change: (copy: Manifest) => void): void {
  const copy = structuredClone(manifest);
  change(copy);
  const key = keyOf(manifest, "manifest.json");
  store.objects.set(key, { bytes: Buffer.from(encodeManifest(copy)), modifiedAt: new Date() });
}

function told(findings: readonly Finding[]): string[] {
  return findings.map(({ code, backup, file, queue, segment }) =>
    [code, backup?.slice(-7), file, queue?.name, segment]
      .filter((each) => each !== null && each !== undefined)
      .join(" "),
  );
}

test.each([QUICK, CHECKSUMS, RECORDS, ALL])("a sound chain is sound at every level: $kind", async (level) => {
  const { full, middle, last } = chain;
  const result = await verified(store, { level });
  expect(result.findings).toEqual([]);
  expect(result.level).toEqual(level);
  expect(result.backups.map(({ id, problems }) => [id, problems])).toEqual(
    [full, middle, last].map(({ id }) => [id, 0]),
  );
  for (const { id } of [full, middle, last]) {
    expect((await verified(store, { level, backup: id })).findings).toEqual([]);
  }
});

test("how much was looked at is told", async () => {
  const { last } = chain;
  const seen = async (level: VerifyLevel, backup: string | null = null) => {
    const { backups } = await verified(store, { level, backup });
    const { segments, ofSegments, messages, storedBytes, readBytes } = backups.at(-1) ?? { ofSegments: 0 };
    return { segments, ofSegments, messages, readAll: readBytes === storedBytes, readBytes };
  };
  const own = last.queues.reduce((sum, { segments }) => sum + segments.length, 0);
  const held = last.queues.flatMap(({ segments }) => segments).reduce((sum, { records }) => sum + records, 0);
  const none = { segments: 0, messages: 0, ofSegments: own };
  expect(await seen(QUICK)).toMatchObject({ ...none, readBytes: 0 });
  expect(await seen(CHECKSUMS)).toMatchObject({ ...none, readAll: true });
  const all = { segments: own, ofSegments: own, messages: held };
  expect(await seen(RECORDS)).toMatchObject({ ...all, readAll: true });
  expect(await seen(ALL)).toMatchObject({ ...all, readAll: false });
  // Alone: with the segments of the others that it needs.
  const alone = await seen(RECORDS, "latest");
  expect(alone.segments).toBeGreaterThan(own);
  expect(alone.ofSegments).toBe(alone.segments);
});

test.each([CHECKSUMS, RECORDS])(
  "a damaged byte anywhere in a chain is found, in the file it is in: $kind",
  async (level) => {
    for (const [key, kept] of new Map(store.objects)) {
      // Every byte of a smaller repository is tried in verify.test.ts.
      for (let at = 0; at < kept.bytes.length; at += 17) {
        flip(key, at);
        const { findings } = await verified(store, { level });
        const [, backup = null, file = null] = /^backups\/([^/]+)\/(.*)$/.exec(key) ?? [];
        const there = findings.filter((each) => each.backup === backup && each.file === file);
        expect(there.some(({ severity }) => severity === "damage")).toBe(true);
        for (const each of findings.filter((one) => !there.includes(one))) {
          expect(each.code).toMatch(/^KEPT_(MISSING|DAMAGED)$/);
          expect(each.message).toContain(backup);
        }
        store.objects.set(key, kept);
      }
    }
  },
  120_000,
);

test.each([QUICK, CHECKSUMS, RECORDS, ALL])(
  "a manifest that is damaged, a file that is missing, short or long is found at every level: $kind",
  async (level) => {
    for (const [key, kept] of new Map(store.objects)) {
      const [, backup, file = ""] = /^backups\/([^/]+)\/(.*)$/.exec(key) ?? [];
      if (backup === undefined) continue;
      const short = { ...kept, bytes: kept.bytes.subarray(0, -1) };
      const long = { ...kept, bytes: Buffer.concat([kept.bytes, Buffer.from("x")]) };
      for (const changed of file === "manifest.json" ? [short, long] : [null, short, long]) {
        if (changed === null) store.objects.delete(key);
        else store.objects.set(key, changed);
        const { findings } = await verified(store, { level });
        expect(findings).toContainEqual(expect.objectContaining({ severity: "damage", backup, file }));
        store.objects.set(key, kept);
      }
    }
  },
);

test.each([CHECKSUMS, RECORDS, ALL])(
  "what is damaged is named by backup, volume, queue and segment, and whoever needs it is told: $kind",
  async (level) => {
    const file = damageSegment(chain.full, "q", 3);
    const { findings, backups } = await verified(store, { level });
    expect(told(findings)).toEqual([
      `SEGMENT_DAMAGED 193200F ${file} q 3`,
      ...(level.kind === "sample" ? [] : [`VOLUME_DAMAGED 193200F ${file}`]),
      "KEPT_DAMAGED 194200I manifest.json q",
      "KEPT_DAMAGED 195200I manifest.json q",
    ]);
    expect(findings.at(-1)?.message).toMatch(
      /^\d+ messages of queue q .* are kept by others, where they are damaged: segment 3 of backup 20261121-193200F /,
    );
    expect(backups.map(({ problems }) => problems > 0)).toEqual([true, true, true]);
  },
);

test("a backup begun before the one it keeps from is told all the same", async () => {
  // The clock was put back between them.
  const { full, middle } = chain;
  const early = `${full.id}_20261121-190000I`;
  for (const { name } of [...middle.volumes, middle.index]) {
    const bytes = store.objects.get(keyOf(middle, name));
    if (bytes !== undefined) store.objects.set(`backups/${early}/${name}`, bytes);
  }
  const bytes = Buffer.from(encodeManifest({ ...middle, id: early }));
  store.objects.set(`backups/${early}/manifest.json`, { bytes, modifiedAt: new Date() });
  damageSegment(full, "q", 3);
  const { findings, backups } = await verified(store, { level: CHECKSUMS });
  expect(told(findings)).toContain("KEPT_DAMAGED 190000I manifest.json q");
  expect(backups[0]).toMatchObject({ id: early, problems: 1 });
});

test("what could not be looked at is no damage to those who need it either", async () => {
  const error = new BackupError("TARGET_FAILED", "input/output error");
  using flaky = failing(store, [{ on: "get", key: /193200F\/data-/, lasting: true, error }]);
  const { findings } = await verified(flaky, { level: CHECKSUMS });
  expect(new Set(findings.map(({ severity, code }) => `${severity} ${code}`))).toEqual(
    new Set(["unverified UNREADABLE"]),
  );
  expect(told(findings)).toContain("UNREADABLE 195200I manifest.json q");
});

test("quick reads manifests and nothing else", async () => {
  using counted = failing(store, []);
  await verified(counted, { level: QUICK });
  const gets = counted.calls.filter((call) => call.startsWith("get "));
  expect(gets.filter((call) => !call.endsWith(".json"))).toEqual([]);
  expect(new Set(gets).size).toBe(gets.length);
});

test("quick looks twice at what does not fit the listing", async () => {
  // Listed while the volume was on its way.
  let listings = 0;
  const late = {
    ...store,
    list: async function* list(prefix: string) {
      listings += 1;
      for await (const each of store.list(prefix)) {
        if (listings > 1 || !each.key.endsWith("data-00001.tar.zst")) yield each;
      }
    },
  };
  expect((await verified(late, { level: QUICK })).findings).toEqual([]);
});

describe("one incremental alone", () => {
  test.each([CHECKSUMS, RECORDS, ALL])("is looked at with what it needs of others: $kind", async (level) => {
    const file = damageSegment(chain.full, "q", 3);
    const { findings, backups } = await verified(store, { backup: "latest", level });
    expect(told(findings)).toEqual([
      `SEGMENT_DAMAGED 193200F ${file} q 3`,
      "KEPT_DAMAGED 195200I manifest.json q",
    ]);
    expect(backups).toMatchObject([{ id: chain.last.id, problems: 2 }]);
  });

  test.each([QUICK, CHECKSUMS, RECORDS, ALL])("and with nothing else of them: $kind", async (level) => {
    // Consumed since, so nobody keeps it.
    damageSegment(chain.full, "refilled", 1);
    damageSegment(chain.full, "q", 1);
    expect((await verified(store, { backup: "latest", level })).findings).toEqual([]);
  });

  test.each([QUICK, CHECKSUMS, RECORDS, ALL])("misses a file of another: $kind", async (level) => {
    const { full, last } = chain;
    const segment = full.queues.find(({ name }) => name === "q")?.segments[2];
    const file = full.volumes[(segment?.volume ?? 0) - 1]?.name ?? "";
    store.objects.delete(keyOf(full, file));
    const { findings } = await verified(store, { backup: last.id, level });
    expect(told(findings)).toEqual(
      expect.arrayContaining([
        `VOLUME_MISSING 193200F ${file}`,
        `SEGMENT_DAMAGED 193200F ${file} q 3`,
        "KEPT_DAMAGED 195200I manifest.json q",
      ]),
    );
  });

  test("misses another backup, and says which", async () => {
    store.objects.delete(keyOf(chain.full, "manifest.json"));
    const { findings } = await verified(store, { backup: "latest", level: QUICK });
    expect(new Set(told(findings))).toEqual(
      new Set(["KEPT_MISSING 195200I manifest.json q", "KEPT_MISSING 195200I manifest.json events"]),
    );
    expect(findings[0]?.message).toContain(chain.full.id);
  });

  test("is compared with the fingerprints others have of what they hold for it", async () => {
    const { full } = chain;
    // Two entries of the index exchanged: every sum is right.
    reseal(full, ({ queues }) => {
      const queue = queues.find(({ name }) => name === "q");
      if (queue !== undefined) Object.assign(queue, { index: queue.index.toReversed() });
    });
    expect((await verified(store, { backup: "latest", level: CHECKSUMS })).findings).toEqual([]);
    const { findings } = await verified(store, { backup: "latest", level: RECORDS });
    expect(new Set(findings.map(({ code, backup }) => `${code} ${backup}`))).toEqual(
      new Set([`FINGERPRINTS_DIFFER ${full.id}`, `KEPT_DAMAGED ${chain.last.id}`]),
    );
  });

  test.each([CHECKSUMS, RECORDS, ALL])("misses these fingerprints: $kind", async (level) => {
    const { full } = chain;
    const entry = full.queues.find(({ name }) => name === "q")?.index.at(-1);
    flip(keyOf(full, "index.tar.zst"), (entry?.offset ?? 0) + 20);
    const { findings } = await verified(store, { backup: "latest", level });
    expect(told(findings)).toEqual(["INDEX_DAMAGED 193200F index.tar.zst q"]);
  });
});

test("marks and leases are no strays", async () => {
  const put = (key: string): void => {
    store.objects.set(key, { bytes: Buffer.from("{}"), modifiedAt: new Date() });
  };
  put(keyOf(chain.full, "mark.json"));
  put("leases/sample.json");
  expect((await verified(store, { level: QUICK })).findings).toEqual([]);
  put(keyOf(chain.full, "stray.json"));
  expect(told((await verified(store, { level: QUICK })).findings)).toEqual(["ORPHAN 193200F stray.json"]);
});
