import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import { parseBackupId } from "../../../src/domain/backup-id.ts";
import { BackupError } from "../../../src/domain/errors.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import { createCatalog, resolveBackup } from "../../../src/repository/catalog.ts";
import { readManifest } from "../../../src/repository/manifest-reader.ts";
import { encodeManifest } from "../../../src/repository/manifest-codec.ts";
import { chooseBase } from "../../../src/usecases/base-choice.ts";
import { compact } from "../../../src/usecases/compact.ts";
import type { CompactEvent } from "../../../src/usecases/compact-types.ts";
import { withLease } from "../../../src/usecases/with-lease.ts";
import { PLAIN } from "../../fakes/plain.ts";
import { compactDeps, compactRequest, contentOf } from "../../fakes/compact-lab.ts";
import { newRun } from "../../fakes/fake-runs.ts";
import { failing } from "../../fakes/failing.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { DEFINITIONS, REPOSITORY, tinyBackup, writeBackup } from "../../fakes/sample-backup.ts";
import { writeChain, type SampleChain } from "../../fakes/sample-chain.ts";
import { verified } from "../../fakes/verified.ts";
import { tempDirectory, type TempDirectory } from "../../lab/temp.ts";

const NEVER = new AbortController().signal;
const NEW = "20261121-195201F";

let temp: TempDirectory;
let store: MemoryStore;
let chain: SampleChain;

beforeAll(async () => {
  temp = await tempDirectory();
});
afterAll(async () => {
  await temp[Symbol.asyncDispose]();
});
beforeEach(async () => {
  store = memoryStore();
  chain = await writeChain(await createCatalog(store, REPOSITORY));
});

function keys(of: MemoryStore = store): string[] {
  return [...of.objects.keys()].toSorted();
}

function remove(...manifests: readonly Manifest[]): void {
  for (const key of keys()) {
    if (manifests.some(({ id }) => key.startsWith(`backups/${id}/`))) store.objects.delete(key);
  }
}

function reseal(manifest: Manifest, change: (copy: Manifest) => object, of: MemoryStore = store): void {
  const bytes = Buffer.from(encodeManifest({ ...manifest, ...change(structuredClone(manifest)) }));
  of.objects.set(`backups/${manifest.id}/manifest.json`, { bytes, modifiedAt: new Date() });
}

/** Nothing was written, and nothing is left. */
async function expectRefused(run: Promise<unknown>, expected: object): Promise<void> {
  const before = keys();
  await expect(run).rejects.toMatchObject(expected);
  expect(keys()).toEqual(before);
  expect(await readdir(temp.path)).toEqual([]);
}

test("the new backup is the old one without the others", async () => {
  const { full, middle, last } = chain;
  const content = await contentOf(store, last.id);
  const { manifest, source, messages } = await compact(compactDeps([store], temp), compactRequest(), NEVER);
  expect({ id: manifest?.id, source, messages }).toEqual({ id: NEW, source: last.id, messages: 21 });
  expect(await contentOf(store, NEW)).toEqual(content);
  expect((await verified(store)).findings).toEqual([]);

  remove(full, middle, last);
  expect(await contentOf(store, NEW)).toEqual(content);
  expect((await verified(store)).findings).toEqual([]);
  expect(await readManifest(store, parseBackupId(NEW))).toEqual(manifest);
  expect(await readdir(temp.path)).toEqual([]);
});

test("facts of queues, times and measures of the broker are those of the source", async () => {
  const { last } = chain;
  reseal(last, ({ queues, measures }) => ({
    drain: true,
    finishedAt: "2026-11-21T19:53:11.000Z",
    measures: { ...measures, lostMessages: 2, knownMessages: 23, lossRate: 2 / 23, targetBytes: 12345 },
    queues: [
      ...queues.map((queue) => ({
        ...queue,
        outcome: "partial",
        gaps: [{ code: "in-flight", message: "in hand", messages: 2 }],
        notes: ["costs nothing"],
      })),
      { ...queues[0], ordinal: 9, name: "skipped", outcome: "skipped", ...NOTHING },
    ],
  }));
  const source = await readManifest(store, parseBackupId(last.id));
  const { manifest } = await compact(compactDeps([store], temp), compactRequest(), NEVER);
  expect(manifest).toEqual({
    ...source,
    tool: { name: "mqbackup", version: "0.0.0" },
    id: NEW,
    kind: "full",
    base: null,
    compactedFrom: last.id,
    definitions: [expect.objectContaining({ vhost: DEFINITIONS.vhost })],
    volumes: expect.any(Array),
    index: expect.any(Object),
    queues: source.queues.map((queue) => ({
      ...queue,
      content: queue.messages === 0 ? [] : [{ kind: "new", first: 0, count: queue.messages }],
      segments: expect.any(Array),
      index: expect.any(Array),
    })),
    measures: {
      ...source.measures,
      plainBytes: expect.any(Number),
      storedBytes: expect.any(Number),
      targetBytes: null,
    },
  });
  const segments = manifest?.queues.flatMap((queue) => queue.segments) ?? [];
  const { measures, volumes = [], index } = manifest ?? {};
  expect(measures?.plainBytes).toBe(segments.reduce((sum, { plainBytes }) => sum + plainBytes, 0));
  expect(measures?.storedBytes).toBe(volumes.reduce((sum, { bytes }) => sum + bytes, index?.bytes ?? 0));
  expect(manifest?.queues.find(({ name }) => name === "events")?.offsets).toEqual({ first: 42, last: 48 });
});

const NOTHING = {
  skipped: { code: "QUEUE_BUSY", message: "in use", hint: null },
  messages: 0,
  bodyBytes: 0,
  content: [],
  segments: [],
  index: [],
};

test("it is the latest where its source was, and what the next incremental builds on", async () => {
  await compact(compactDeps([store], temp), compactRequest(), NEVER);
  expect(await resolveBackup(store, "latest")).toBe(NEW);
  const { base } = await chooseBase(
    { store, reading: PLAIN, codec: inlineCodec({ level: 1 }) },
    { set: "sample", base: null, encrypted: false },
    {},
  );
  expect(base?.id).toBe(NEW);
});

test("one from the middle stays behind those after it; a second that is taken is passed over", async () => {
  const { middle, last } = chain;
  await writeBackup(await createCatalog(store, REPOSITORY), tinyBackup(new Date("2026-11-21T19:42:01Z")));
  const content = await contentOf(store, middle.id);
  const request = compactRequest({ backup: "20261121-194200I" });
  const { manifest } = await compact(compactDeps([store], temp), request, NEVER);
  expect(manifest?.id).toBe("20261121-194202F");
  expect(await contentOf(store, "20261121-194202F")).toEqual(content);
  expect(await resolveBackup(store, "latest")).toBe(last.id);
});

test("a dry run tells what would be read and writes nothing", async () => {
  const { full, middle, last } = chain;
  const before = keys();
  using counted = failing(store, []);
  const result = await compact(compactDeps([counted], temp), compactRequest({ dryRun: true }), NEVER);
  expect(keys()).toEqual(before);
  expect(counted.calls.filter((call) => !/^(get|list|keys) /.test(call))).toEqual([]);
  expect(result).toMatchObject({ source: last.id, messages: 21, manifest: null });
  expect(result.reads.map(({ backup }) => backup)).toEqual([full.id, middle.id, last.id]);
  const own = last.queues.flatMap(({ segments }) => segments);
  expect(result.reads.at(-1)).toEqual({
    backup: last.id,
    segments: own.length,
    bytes: own.reduce((sum, { length }) => sum + length, 0),
  });
  const most = result.reads.reduce((sum, { bytes }) => sum + bytes, 21 * 16);
  expect(result.estimatedBytes).toBeLessThan(most);
  expect(result.estimatedBytes).toBeGreaterThan(most / 2);
});

describe("refused:", () => {
  test("a full backup, which needs no other", async () => {
    const run = compact(compactDeps([store], temp), compactRequest({ backup: chain.full.id }), NEVER);
    await expectRefused(run, { code: "USAGE", message: expect.stringContaining("nothing to compact") });
  });

  test("a backup that is not there", async () => {
    const run = compact(compactDeps([store], temp), compactRequest({ backup: "2020" }), NEVER);
    await expectRefused(run, { code: "BACKUP_MISSING" });
  });

  test("one that needs a backup that is gone", async () => {
    store.objects.delete(`backups/${chain.full.id}/manifest.json`);
    await expectRefused(compact(compactDeps([store], temp), compactRequest(), NEVER), {
      code: "BACKUP_MISSING",
      message: expect.stringContaining(chain.full.id),
    });
  });

  test("messages that are damaged, wherever they are held", async () => {
    const { full, middle, last } = chain;
    const needed = [
      [full, "q", 3],
      [full, "events", 2],
      [middle, "q", 1],
      [last, "new", 1],
    ] as const;
    for (const [manifest, name, number] of needed) {
      const segment = manifest.queues.find((queue) => queue.name === name)?.segments[number - 1];
      const key = `backups/${manifest.id}/${manifest.volumes[(segment?.volume ?? 0) - 1]?.name}`;
      const kept = store.objects.get(key);
      if (segment === undefined || kept === undefined) throw new Error(`no segment ${number} of ${name}`);
      const bytes = Buffer.from(kept.bytes);
      bytes.writeUInt8(bytes.readUInt8(segment.offset + 30) ^ 1, segment.offset + 30);
      store.objects.set(key, { ...kept, bytes });
      await expectRefused(compact(compactDeps([store], temp), compactRequest(), NEVER), {
        code: "ARCHIVE_DAMAGED",
        message: expect.stringContaining(`segment ${number} of queue ${name}`),
      });
      store.objects.set(key, kept);
    }
  });

  test("messages that do not have the fingerprints taken of them", async () => {
    reseal(chain.full, ({ queues }) => ({
      queues: queues.map((queue) => ({ ...queue, index: queue.index.toReversed() })),
    }));
    await expectRefused(compact(compactDeps([store], temp), compactRequest(), NEVER), {
      code: "ARCHIVE_DAMAGED",
      message: expect.stringMatching(/^message \d+ of queue q .* does not have the fingerprint/),
    });
  });

  test("other bodies than were counted", async () => {
    reseal(chain.last, ({ queues }) => ({
      queues: queues.map((queue) => ({ ...queue, bodyBytes: queue.bodyBytes + 1 })),
    }));
    await expectRefused(compact(compactDeps([store], temp), compactRequest(), NEVER), {
      code: "ARCHIVE_DAMAGED",
      message: expect.stringContaining(`backup ${chain.last.id} says`),
    });
  });
});

test("refused while another run writes to the set", async () => {
  const other = { ...compactDeps([store], temp), runs: newRun({ host: "elsewhere" }) };
  const wish = { stores: [store], set: "sample", command: "full", breakLease: false };
  await withLease(other, wish, NEVER, async () => {
    const deps = { ...compactDeps([store], temp), runs: newRun({ isGone: () => false }) };
    await expectRefused(compact(deps, compactRequest(), NEVER), { code: "LEASE_HELD" });
    // Reading alone hinders nobody.
    await compact(deps, compactRequest({ dryRun: true }), NEVER);
  });
  await compact(compactDeps([store], temp), compactRequest(), NEVER);
  expect(keys().filter((key) => key.startsWith("leases/"))).toEqual([]);
});

describe("two targets", () => {
  function copyOf(location: string): MemoryStore {
    const copy = memoryStore(location);
    for (const [key, kept] of store.objects) copy.objects.set(key, kept);
    return copy;
  }

  test("both get the same", async () => {
    const second = copyOf("second");
    const content = await contentOf(store, chain.last.id);
    await compact(compactDeps([store, second], temp), compactRequest(), NEVER);
    expect(keys(second)).toEqual(keys());
    expect(await contentOf(second, NEW)).toEqual(content);
    expect((await verified(second)).findings).toEqual([]);
  });

  test("one that does not have the backup, or has another of its name, gets nothing, nor does the other", async () => {
    const lacking = copyOf("second");
    lacking.objects.delete(`backups/${chain.last.id}/manifest.json`);
    const request = compactRequest();
    await expectRefused(compact(compactDeps([store, lacking], temp), request, NEVER), {
      code: "BACKUP_MISSING",
      message: expect.stringContaining("second"),
    });
    const other = copyOf("second");
    reseal(chain.last, () => ({ set: "other" }), other);
    await expectRefused(compact(compactDeps([store, other], temp), request, NEVER), {
      code: "BACKUP_MISSING",
      message: expect.stringContaining("another backup"),
    });
    await expectRefused(compact(compactDeps([store, memoryStore("second")], temp), request, NEVER), {
      code: "REPOSITORY_MISSING",
    });
  });
});

test("interrupted after every event: nothing is committed and nothing is left", async () => {
  const reason = new BackupError("INTERRUPTED", "interrupted");
  const before = keys();
  const events: CompactEvent["kind"][] = [];
  for (let nth = 1; ; nth += 1) {
    const abort = new AbortController();
    let seen = 0;
    const report = ({ kind }: CompactEvent): void => {
      seen += 1;
      if (seen !== nth) return;
      events.push(kind);
      abort.abort(reason);
    };
    const failure: unknown = await compact(
      compactDeps([store], temp, report),
      compactRequest(),
      abort.signal,
    ).then(
      () => null,
      (error: unknown) => error,
    );
    if (failure === null) break;
    expect(failure).toBe(reason);
    expect(keys()).toEqual(before);
    expect(await readdir(temp.path)).toEqual([]);
  }
  expect(new Set(events)).toEqual(
    new Set(["begun", "queue-begun", "queue-progress", "queue-finished", "volume-shipped", "committed"]),
  );
});
