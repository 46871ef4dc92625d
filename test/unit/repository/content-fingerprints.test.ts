import { expect, test } from "vitest";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import type { BackupId } from "../../../src/domain/backup-id.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import type { MessageRecord } from "../../../src/domain/message.ts";
import { createCatalog, type Catalog } from "../../../src/repository/catalog.ts";
import { allFingerprints } from "../../../src/repository/content-fingerprints.ts";
import { readContent, segmentRuns } from "../../../src/repository/content-reader.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { message, messages, REPOSITORY, writeBackup, type SampleBackup } from "../../fakes/sample-backup.ts";

const codec = inlineCodec({ level: 1 });

function sample(second: number, records: readonly MessageRecord[]): SampleBackup {
  return { now: new Date(Date.UTC(2026, 10, 21, 19, 32, second)), queues: [{ name: "q", records }] };
}

test("fingerprints of a chain are those of a full backup of the same content", async () => {
  const store = memoryStore();
  const catalog = await createCatalog(store, REPOSITORY);
  const contents = [
    messages(30),
    [...messages(30).slice(4), message(99)],
    [
      message(98),
      ...messages(30).slice(6, 9),
      message(97),
      ...messages(30).slice(20),
      message(99),
      message(96),
    ],
    [],
    [message(95), message(5)],
  ];
  let base: SampleBackup["base"];
  for (const [at, records] of contents.entries()) {
    const each = { ...sample(at, records), ...(base ? { base } : {}) };
    const manifest = await writeBackup(catalog, each);
    const full = await writeBackup(catalog, sample(at + 20, records));
    expect(await taken(catalog, manifest)).toEqual(await taken(catalog, full));
    base = { manifest, sample: each };
  }
});

async function taken(catalog: Catalog, manifest: Manifest) {
  const [queue] = manifest.queues;
  if (queue === undefined) throw new Error("no queue");
  const source = { store: catalog.store, codec };
  const manifestOf = async (id: BackupId) => catalog.storedManifest(id);
  const bodies: string[] = [];
  for await (const batch of readContent(source, segmentRuns(manifest, queue, 0, manifestOf))) {
    for (const { record } of batch) bodies.push(Buffer.from(record.body).toString());
  }
  const fingerprints = await allFingerprints(source, manifest, queue, manifestOf);
  return { bodies, fingerprints: Buffer.from(fingerprints).toString("hex") };
}
