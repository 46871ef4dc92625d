import { createHash } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import { BackupError } from "../../../src/domain/errors.ts";
import { hasDamage, isSound, type Finding } from "../../../src/domain/findings.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import type { Store } from "../../../src/ports/store.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { encodeManifest } from "../../../src/repository/manifest-codec.ts";
import { encodeDocument } from "../../../src/repository/sealed-document.ts";
import {
  verify,
  type VerifyDeps,
  type VerifyEvent,
  type VerifyRequest,
  type VerifyResult,
} from "../../../src/usecases/verify.ts";
import { failing, type Fault } from "../../fakes/failing.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { REPOSITORY, sampleBackup, tinyBackup, writeBackup } from "../../fakes/sample-backup.ts";

const codec = inlineCodec({ level: 1 });
const RECORDS: VerifyRequest = { backup: null, level: { kind: "records" } };
const LATER = new Date("2026-11-22T02:00:00Z");

let whole: MemoryStore;
let manifest: Manifest;

beforeAll(async () => {
  whole = memoryStore();
  manifest = await writeBackup(await createCatalog(whole, REPOSITORY), sampleBackup());
});

/** The sample repository with some objects changed; null removes one. */
function changed(changes: Readonly<Record<string, Uint8Array | null>>): MemoryStore {
  const store = memoryStore();
  for (const [key, kept] of whole.objects) store.objects.set(key, kept);
  for (const [key, bytes] of Object.entries(changes)) {
    if (bytes === null) store.objects.delete(key);
    else store.objects.set(key, { bytes: Buffer.from(bytes), modifiedAt: LATER });
  }
  return store;
}

function keyOf(name: string): string {
  return `backups/${manifest.id}/${name}`;
}

function bytesOf(key: string): Buffer {
  const kept = whole.objects.get(key);
  if (kept === undefined) throw new Error(`no ${key}`);
  return Buffer.from(kept.bytes);
}

async function all(store: MemoryStore, events: VerifyEvent[] = []): Promise<VerifyResult> {
  return verify({ ...deps(store), report: (event) => events.push(event) }, RECORDS);
}

function deps(store: Store): VerifyDeps {
  return { store, codec, random: Math.random };
}

function codesOf(findings: readonly Finding[]): string[] {
  return findings.map(({ severity, code }) => `${severity} ${code}`);
}

test("leases are no affair of verify's, in force or left behind, whole or damaged", async () => {
  const leases = ["0123456789abcdef.json", "0123456789abcdef.renewed.json"];
  const keys = leases.map((name) => `leases/fedcba9876543210-nightly/${name}`);
  const store = changed(Object.fromEntries(keys.map((key) => [key, Buffer.from("?")])));
  const { findings } = await verify(deps(store), RECORDS);
  expect(findings).toEqual([]);
  for (const key of keys) expect(store.objects.has(key)).toBe(true);
});

test("a sound repository has no findings, and was read whole", async () => {
  const events: VerifyEvent[] = [];
  const { backups, findings } = await all(whole, events);
  expect(findings).toEqual([]);
  const segments = manifest.queues.reduce((sum, queue) => sum + queue.segments.length, 0);
  const storedBytes = manifest.measures.storedBytes;
  expect(backups).toEqual([
    {
      id: manifest.id,
      segments,
      messages: 44,
      ofSegments: segments,
      storedBytes,
      readBytes: storedBytes,
      problems: 0,
    },
  ]);
  const read = events.reduce((sum, event) => sum + (event.kind === "bytes-read" ? event.bytes : 0), 0);
  expect(read).toBe(storedBytes);
  expect(events.at(0)).toEqual({ kind: "backup-opened", id: manifest.id, bytes: storedBytes });
  expect(events.at(-1)).toEqual({ kind: "backup-verified", backup: backups[0] });
});

test("a damaged byte anywhere is found, in the file it is in", async () => {
  const tiny = memoryStore();
  const { id, queues } = await writeBackup(await createCatalog(tiny, REPOSITORY), tinyBackup());
  expect(queues[0]?.segments).toHaveLength(2);
  for (const [key, kept] of tiny.objects) {
    for (let at = 0; at < kept.bytes.length; at += 1) {
      const bytes = Buffer.from(kept.bytes);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at);
      tiny.objects.set(key, { ...kept, bytes });
      const { findings } = await verify(deps(tiny), RECORDS);
      expect(hasDamage(findings)).toBe(true);
      const backup = key.startsWith("backups/") ? id : null;
      const file = backup === null ? null : key.split("/").at(-1);
      for (const finding of findings) expect(finding).toMatchObject({ backup, file });
      expect(findings.at(-1)?.message).toContain(key.split("/").at(-1));
    }
    tiny.objects.set(key, kept);
  }
}, 60_000);

test("damage within a segment names its queue and number", async () => {
  for (const queue of manifest.queues) {
    for (const [at, segment] of queue.segments.entries()) {
      const name = manifest.volumes[segment.volume - 1]?.name ?? "";
      const bytes = bytesOf(keyOf(name));
      bytes.writeUInt8(
        bytes.readUInt8(segment.offset + segment.length - 1) ^ 0xff,
        segment.offset + segment.length - 1,
      );
      const { findings } = await all(changed({ [keyOf(name)]: bytes }));
      expect(codesOf(findings)).toEqual(["damage SEGMENT_DAMAGED", "damage VOLUME_DAMAGED"]);
      expect(findings[0]).toMatchObject({
        backup: manifest.id,
        file: name,
        queue: { vhost: queue.vhost, name: queue.name },
        segment: at + 1,
      });
    }
  }
});

test("damage to a tar header is the volume's alone", async () => {
  const bytes = bytesOf(keyOf("data-00001.tar.zst"));
  bytes.writeUInt8(bytes.readUInt8(20) ^ 0xff, 20);
  const { findings } = await all(changed({ [keyOf("data-00001.tar.zst")]: bytes }));
  expect(codesOf(findings)).toEqual(["damage VOLUME_DAMAGED"]);
});

test("a truncated volume at every length names what is lost", async () => {
  const name = "data-00002.tar.zst";
  const bytes = bytesOf(keyOf(name));
  const inside = manifest.queues.flatMap((queue) => queue.segments.filter(({ volume }) => volume === 2));
  for (let length = 0; length < bytes.length; length += 7) {
    const { findings } = await all(changed({ [keyOf(name)]: bytes.subarray(0, length) }));
    const lost = inside.filter((segment) => segment.offset + segment.length > length).length;
    expect(codesOf(findings)).toEqual([
      "damage VOLUME_DAMAGED",
      ...Array.from({ length: lost }, () => "damage SEGMENT_DAMAGED"),
    ]);
    expect(findings[0]?.message).toBe(`${name} has ${length} of the ${bytes.length} bytes that were stored`);
  }
});

test("a volume with something behind its end", async () => {
  const name = "data-00001.tar.zst";
  const longer = Buffer.concat([bytesOf(keyOf(name)), Buffer.from("x")]);
  const { findings } = await all(changed({ [keyOf(name)]: longer }));
  expect(codesOf(findings)).toEqual(["damage VOLUME_DAMAGED"]);
});

test("a volume without end is given up soon", async () => {
  let given = 0;
  const endless = {
    ...whole,
    get: async function* get(key: string): AsyncGenerator<Uint8Array> {
      if (!key.endsWith("data-00001.tar.zst")) return yield* whole.get(key);
      for (; given < 1000; given += 1) yield Buffer.alloc(1000, given);
    },
  };
  const { findings } = await verify(deps(endless), RECORDS);
  expect(given).toBeLessThan(10);
  expect(findings.map(({ message }) => message)).toContainEqual(expect.stringContaining("has more than the"));
});

test("a missing volume, a missing index", async () => {
  const volume = await all(changed({ [keyOf("data-00001.tar.zst")]: null }));
  expect(codesOf(volume.findings)).toContain("damage VOLUME_MISSING");
  expect(codesOf(volume.findings)).toContain("damage SEGMENT_DAMAGED");
  expect(codesOf(volume.findings)).toContain("damage DEFINITIONS_DAMAGED");
  const index = await all(changed({ [keyOf("index.tar.zst")]: null }));
  expect(new Set(codesOf(index.findings))).toEqual(new Set(["damage INDEX_MISSING", "damage INDEX_DAMAGED"]));
  // Without the index the segments are still looked at.
  expect(index.backups[0]?.messages).toBe(44);
});

test("volumes exchanged for one another are found", async () => {
  const [one, two] = ["data-00001.tar.zst", "data-00002.tar.zst"].map(keyOf);
  if (one === undefined || two === undefined) throw new Error("two volumes are needed");
  const { findings } = await all(changed({ [one]: bytesOf(two), [two]: bytesOf(one) }));
  expect(codesOf(findings).filter((code) => code === "damage VOLUME_DAMAGED")).toHaveLength(2);
});

/** The sample's manifest with changes, sealed as a writer with a defect would have. */
function withManifest(change: (copy: Record<string, never> & Manifest) => void): MemoryStore {
  const copy = JSON.parse(JSON.stringify(manifest)) as Record<string, never> & Manifest;
  change(copy);
  return changed({ [keyOf("manifest.json")]: encodeManifest(copy) });
}

test("fingerprints that are not those of the records", async () => {
  // The index entries of one queue in another order: every sum is right.
  const store = withManifest((copy) => {
    const [queue] = copy.queues;
    if (queue !== undefined) Object.assign(queue, { index: queue.index.toReversed() });
  });
  const { findings } = await all(store);
  expect(hasDamage(findings)).toBe(true);
  expect(new Set(codesOf(findings))).toEqual(new Set(["damage FINGERPRINTS_DIFFER"]));
  expect(findings[0]).toMatchObject({ queue: { name: "orders" }, segment: 1 });
  expect(findings[0]?.message).toMatch(/^record 0 of queue orders in virtual host \//);
});

test("segments in another order", async () => {
  const store = withManifest((copy) => {
    const [queue] = copy.queues;
    const [one, two] = queue?.segments ?? [];
    if (queue === undefined || one === undefined || two === undefined)
      throw new Error("two segments are needed");
    const swapped = [
      { ...two, first: 0 },
      { ...one, first: two.records },
    ];
    Object.assign(queue, { segments: [...swapped, ...queue.segments.slice(2)] });
  });
  expect(codesOf((await all(store)).findings)).toContain("damage FINGERPRINTS_DIFFER");
});

test("fewer or more records than the manifest says", async () => {
  for (const [one, two] of [
    [-1, 1],
    [1, -1],
  ] as const) {
    const store = withManifest((copy) => {
      const [first, second] = copy.queues[0]?.segments ?? [];
      if (first === undefined || second === undefined) throw new Error("two segments are needed");
      Object.assign(first, { records: first.records + one });
      Object.assign(second, { records: second.records + two, first: second.first + one });
    });
    const { findings } = await all(store);
    expect(codesOf(findings)).toEqual(["damage SEGMENT_DAMAGED", "damage SEGMENT_DAMAGED"]);
  }
});

test("bodies of other length than were read", async () => {
  const store = withManifest((copy) => {
    if (copy.queues[0] !== undefined) Object.assign(copy.queues[0], { bodyBytes: 7 });
  });
  expect(codesOf((await all(store)).findings)).toEqual(["damage TOTALS_DIFFER"]);
});

test("what a hostile manifest promises is not believed: a bomb is refused by its declared size", async () => {
  const sealed = await codec.sealEntry({
    entryName: "queues/00001-q/000001.records",
    modifiedAt: 0,
    padded: new Uint8Array(200 * 1024 * 1024),
    plainBytes: 200 * 1024 * 1024,
  });
  const bomb = sealed.frames;
  const store = withManifest((copy) => {
    const [queue] = copy.queues;
    const [volume] = copy.volumes;
    const [segment] = queue?.segments ?? [];
    if (volume === undefined || segment === undefined) throw new Error("a segment is needed");
    Object.assign(volume, { bytes: volume.bytes + bomb.length });
    Object.assign(segment, {
      offset: volume.bytes - bomb.length,
      length: bomb.length,
      sha256: sealed.sha256,
    });
  });
  const key = keyOf("data-00001.tar.zst");
  store.objects.set(key, { bytes: Buffer.concat([bytesOf(key), bomb]), modifiedAt: LATER });
  const before = process.memoryUsage().rss;
  const { findings } = await all(store);
  expect(findings[0]).toMatchObject({ code: "SEGMENT_DAMAGED", queue: { name: "orders" }, segment: 1 });
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
});

/** The sample with another segment in the place of the first of queue orders, sealed as a writer would. */
async function withSegment(plain: Uint8Array): Promise<MemoryStore> {
  const padded = new Uint8Array(Math.ceil(plain.length / 512) * 512);
  padded.set(plain);
  const place = { entryName: "queues/00001-q/000001.records", modifiedAt: 0 };
  const { frames, sha256 } = await codec.sealEntry({ ...place, padded, plainBytes: plain.length });
  const store = withManifest((copy) => {
    const [volume] = copy.volumes;
    const [segment] = copy.queues[0]?.segments ?? [];
    if (volume === undefined || segment === undefined) throw new Error("a segment is needed");
    const range = { volume: 1, offset: volume.bytes, length: frames.length };
    Object.assign(segment, { ...range, sha256, plainBytes: plain.length });
    const longer = Buffer.concat([bytesOf(keyOf(volume.name)), frames]);
    Object.assign(volume, {
      bytes: longer.length,
      sha256: createHash("sha256").update(longer).digest("hex"),
    });
  });
  const key = keyOf("data-00001.tar.zst");
  store.objects.set(key, { bytes: Buffer.concat([bytesOf(key), frames]), modifiedAt: LATER });
  return store;
}

test("a segment that is no segment, and one of a newer version", async () => {
  const garbage = await all(await withSegment(Buffer.alloc(2000, 7)));
  expect(codesOf(garbage.findings)).toEqual(["damage SEGMENT_DAMAGED"]);
  const newer = Buffer.alloc(2000);
  newer.write("MQBR\0\u0002");
  const { findings } = await all(await withSegment(newer));
  expect(codesOf(findings)).toEqual(["unverified FORMAT_NEWER"]);
  expect(findings[0]).toMatchObject({ queue: { name: "orders" }, segment: 1 });
});

test("a manifest of a newer format is not verified, and not damage", async () => {
  const newer = encodeDocument({ format: 2, id: manifest.id });
  const { findings, backups } = await all(changed({ [keyOf("manifest.json")]: newer }));
  expect(codesOf(findings)).toEqual(["unverified FORMAT_NEWER"]);
  expect(findings[0]?.message).toMatch(/format 2.*up to 1/);
  expect(hasDamage(findings)).toBe(false);
  expect(isSound(findings)).toBe(false);
  expect(backups).toEqual([]);
});

test("an interrupted run is a note, and so is what belongs to nobody", async () => {
  const store = changed({
    "backups/20261122-020000F/begun.json": encodeDocument({ format: 1 }),
    "backups/20261122-020000F/data-00001.tar.zst": Buffer.alloc(1000),
    [keyOf("begun.json")]: encodeDocument({ format: 1 }),
    [keyOf("data-00099.tar.zst")]: Buffer.alloc(10),
  });
  const { findings } = await all(store);
  expect(findings.map(({ code, backup, file }) => [code, backup, file])).toEqual([
    ["ORPHAN", manifest.id, "begun.json"],
    ["ORPHAN", manifest.id, "data-00099.tar.zst"],
    ["NOT_COMMITTED", "20261122-020000F", null],
  ]);
  expect(isSound(findings)).toBe(true);
});

test("one backup of several", async () => {
  const store = changed({});
  const other = await writeBackup(await createCatalog(store, REPOSITORY), sampleBackup(LATER));
  store.objects.set(keyOf("data-00001.tar.zst"), { bytes: Buffer.from("x"), modifiedAt: LATER });
  const latest = await verify(deps(store), { ...RECORDS, backup: "latest" });
  expect(latest.findings).toEqual([]);
  expect(latest.backups.map(({ id }) => id)).toEqual([other.id]);
  const first = await verify(deps(store), { ...RECORDS, backup: manifest.id });
  expect(hasDamage(first.findings)).toBe(true);
  expect((await all(store)).backups.map(({ id, problems }) => [id, problems > 0])).toEqual([
    [manifest.id, true],
    [other.id, false],
  ]);
  await expect(verify(deps(store), { ...RECORDS, backup: "2027" })).rejects.toMatchObject({
    code: "BACKUP_MISSING",
  });
});

test("no repository, and a repository that lost its document", async () => {
  await expect(all(memoryStore())).rejects.toMatchObject({ code: "REPOSITORY_MISSING" });
  const { findings, backups } = await all(changed({ "mqbackup-repository.json": null }));
  expect(codesOf(findings)).toEqual(["damage REPOSITORY_DAMAGED"]);
  expect(backups).toHaveLength(1);
});

test("what cannot be read is not verified, and not sound", async () => {
  const error = new BackupError("TARGET_FAILED", "input/output error");
  const faults: [Fault, string][] = [
    [{ on: "get", key: /data-00001/, error }, "data-00001.tar.zst"],
    [{ on: "get", key: /data-00001/, error, when: "after" }, "data-00001.tar.zst"],
    [{ on: "get", key: /index/, error }, "index.tar.zst"],
    [{ on: "get", key: /manifest/, error }, "manifest.json"],
  ];
  for (const [fault, file] of faults) {
    using flaky = failing(whole, [fault]);
    const { findings } = await verify(deps(flaky), RECORDS);
    expect(findings[0]).toMatchObject({ severity: "unverified", code: "UNREADABLE", file });
    expect(findings.every(({ severity }) => severity === "unverified")).toBe(true);
  }
  using down = failing(whole, [{ on: "list", error }]);
  await expect(verify(deps(down), RECORDS)).rejects.toBe(error);
});

test("a backup removed meanwhile is not damaged", async () => {
  const store = changed({});
  const gone = new BackupError("OBJECT_MISSING", "gone");
  using removing = failing(
    {
      ...store,
      get: (key, options) => {
        if (key.includes("data-")) store.objects.delete(keyOf("manifest.json"));
        return store.get(key, options);
      },
    },
    [{ on: "get", key: /data-00002/, error: gone }],
  );
  const { findings } = await verify(deps(removing), RECORDS);
  expect(codesOf(findings)).toEqual(["note REMOVED_MEANWHILE"]);
});

test("what is kept by another backup must be held by it", async () => {
  const id = `${manifest.id}_20261122-020000I`;
  const incremental = {
    ...manifest,
    id,
    kind: "incremental" as const,
    base: manifest.id,
    queues: manifest.queues.map((queue) => {
      const { ordinal, messages: count } = queue;
      const kept = { kind: "kept" as const, backup: manifest.id, ordinal, first: 0, count };
      return { ...queue, segments: [], index: [], content: count === 0 ? [] : [kept] };
    }),
    volumes: [],
    definitions: [],
  };
  const files = {
    [`backups/${id}/manifest.json`]: encodeManifest(incremental),
    [`backups/${id}/index.tar.zst`]: bytesOf(keyOf("index.tar.zst")),
  };
  expect((await all(changed(files))).findings).toEqual([]);

  const lost = await all(changed({ ...files, [keyOf("manifest.json")]: null }));
  expect(lost.findings.filter(({ backup }) => backup === id)).toHaveLength(4);
  expect(lost.findings.find(({ backup }) => backup === id)).toMatchObject({
    severity: "damage",
    code: "KEPT_MISSING",
    queue: { vhost: "/", name: "orders" },
    message: expect.stringContaining("needs what another backup holds"),
  });

  const queues = incremental.queues.map((queue) => ({
    ...queue,
    content: queue.content.map((kept) => ({ ...kept, ordinal: 3 })),
  }));
  const wrong = encodeManifest({ ...incremental, queues });
  const { findings } = await all(changed({ ...files, [`backups/${id}/manifest.json`]: wrong }));
  expect(new Set(codesOf(findings))).toEqual(new Set(["damage KEPT_MISSING"]));
  expect(findings[0]?.message).toContain(`backup ${manifest.id} does not hold messages of queue orders`);
});

test("an aborted verification rejects with the signal's reason", async () => {
  const controller = new AbortController();
  const reason = new BackupError("INTERRUPTED", "interrupted by a test");
  const report = (event: VerifyEvent): void => {
    if (event.kind === "bytes-read") controller.abort(reason);
  };
  await expect(verify({ ...deps(whole), report }, RECORDS, controller.signal)).rejects.toBe(reason);
});
