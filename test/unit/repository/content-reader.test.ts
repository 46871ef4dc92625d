import fc from "fast-check";
import { expect, test } from "vitest";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import type { BackupId } from "../../../src/domain/backup-id.ts";
import type { ContentRange, Manifest, QueueEntry } from "../../../src/domain/manifest.ts";
import { readDefinitions } from "../../../src/repository/archive-reader.ts";
import type { ManifestOf } from "../../../src/repository/backup-references.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { readContent, segmentRuns } from "../../../src/repository/content-reader.ts";
import { fingerprintRuns } from "../../../src/repository/fingerprints.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { DEFINITIONS, REPOSITORY, messages, sampleBackup, writeBackup } from "../../fakes/sample-backup.ts";

const codec = inlineCodec({ level: 1 });

async function sequencesOf(
  store: ReturnType<typeof memoryStore>,
  manifest: Manifest,
  queue: QueueEntry,
  from: number,
  manifestOf: ManifestOf,
  end?: number,
): Promise<string[]> {
  const found: string[] = [];
  const runs = segmentRuns(manifest, queue, from, manifestOf, end);
  for await (const batch of readContent({ store, codec }, runs)) {
    for (const { sequence, record } of batch) {
      found.push(`${sequence} ${/message \d+/.exec(Buffer.from(record.body).toString())?.[0] ?? ""}`);
    }
  }
  return found;
}

test("the messages of a queue in order, from anywhere", async () => {
  const store = memoryStore();
  const manifest = await writeBackup(await createCatalog(store, REPOSITORY), sampleBackup());
  const [queue] = manifest.queues;
  if (queue === undefined) throw new Error("no queue");
  const never: ManifestOf = async () => expect.unreachable("no other backup is needed");
  for (let from = 0; from <= 31; from += 1) {
    const expected = messages(30).flatMap((_, at) => (at >= from ? [`${at} message ${at}`] : []));
    expect(await sequencesOf(store, manifest, queue, from, never)).toEqual(expected);
    for (const end of [0, 1, from, from + 1, 17, 30, 31]) {
      const within = expected.slice(0, Math.max(0, end - from));
      expect(await sequencesOf(store, manifest, queue, from, never, end)).toEqual(within);
    }
  }
});

test("records kept by another backup are read where they are", async () => {
  const store = memoryStore();
  const catalog = await createCatalog(store, REPOSITORY);
  const base = await writeBackup(catalog, sampleBackup());
  const [queue] = base.queues;
  if (queue === undefined) throw new Error("no queue");
  const range = fc.record({ first: fc.nat(29), count: fc.integer({ min: 1, max: 30 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(range, { minLength: 1, maxLength: 5 }),
      fc.nat(60),
      fc.nat(60),
      async (ranges, from, end) => {
        const wanted = ranges.map(({ first, count }) => ({ first, count: Math.min(count, 30 - first) }));
        const content: ContentRange[] = wanted.map((each) => ({
          kind: "kept",
          backup: base.id,
          ordinal: 1,
          ...each,
        }));
        const later = { ...queue, segments: [], content };
        const all = wanted.flatMap(({ first, count }) =>
          Array.from({ length: count }, (_, at) => first + at),
        );
        const expected = all.flatMap((number, at) =>
          at >= from && at < end ? [`${at} message ${number}`] : [],
        );
        const manifestOf = async (id: BackupId) => catalog.storedManifest(id);
        expect(
          await sequencesOf(store, { ...base, id: "20261122-000000F" }, later, from, manifestOf, end),
        ).toEqual(expected);
      },
    ),
    { numRuns: 40 },
  );
  const content: ContentRange[] = [{ kind: "kept", backup: base.id, ordinal: 1, first: 29, count: 2 }];
  const runs = segmentRuns(base, { ...queue, content }, 0, async () => ({ manifest: base, seal: "" }));
  await expect(runs.next()).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" });
});

test("fingerprints of own records are found in the entries of the index", () => {
  const entry = (records: number): QueueEntry["index"][number] => ({
    offset: 0,
    length: 1,
    records,
    plainBytes: records * 16,
    sha256: "",
  });
  const [first, second] = [entry(4), entry(6)];
  const queue = { index: [first, second] } as unknown as QueueEntry;
  expect([...fingerprintRuns(queue, 0, 8)]).toEqual([
    { entry: first, skip: 0, first: 0, count: 4 },
    { entry: second, skip: 0, first: 4, count: 4 },
  ]);
  expect([...fingerprintRuns(queue, 5, 2)]).toEqual([{ entry: second, skip: 1, first: 5, count: 2 }]);
});

test("definitions come back, and those of another virtual host do not pass", async () => {
  const store = memoryStore();
  const manifest = await writeBackup(await createCatalog(store, REPOSITORY), sampleBackup());
  const [entry] = manifest.definitions;
  if (entry === undefined) throw new Error("no definitions");
  expect(await readDefinitions({ store, codec }, manifest, entry)).toEqual(DEFINITIONS);
  await expect(
    readDefinitions({ store, codec }, manifest, { ...entry, vhost: "other" }),
  ).rejects.toMatchObject({
    code: "ARCHIVE_DAMAGED",
  });
});
