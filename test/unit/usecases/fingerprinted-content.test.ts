import { describe, expect, it } from "vitest";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import type { Manifest, QueueEntry } from "../../../src/domain/manifest.ts";
import { createCatalog, type Catalog } from "../../../src/repository/catalog.ts";
import { FingerprintedContent } from "../../../src/usecases/fingerprinted-content.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { bodies, NOW } from "../../fakes/restore-lab.ts";
import { message, messages, writeBackup } from "../../fakes/sample-backup.ts";

/** Content whose index says what `change` makes of it. */
class Tampered extends FingerprintedContent {
  change: (fingerprints: Buffer) => Buffer = (fingerprints) => fingerprints;
  asked = 0;

  override async *fingerprints(queue: QueueEntry): AsyncGenerator<Uint8Array> {
    this.asked++;
    const pieces: Uint8Array[] = [];
    for await (const piece of super.fingerprints(queue)) pieces.push(piece);
    const changed = this.change(Buffer.concat(pieces));
    // Pieces end where no segment does.
    for (let at = 0; at < changed.length; at += 48) yield changed.subarray(at, at + 48);
  }
}

async function chain(): Promise<{ readonly content: Tampered; readonly queue: QueueEntry }> {
  const store = memoryStore();
  const catalog = await createCatalog(store, { now: NOW, repositoryId: "r" });
  const sample = { now: NOW, queues: [{ name: "q", records: messages(30) }], segmentBytes: 500 };
  const manifest = await writeBackup(catalog, sample);
  const later = { ...sample, now: new Date(NOW.getTime() + 60_000), base: { manifest, sample } };
  const records = [...messages(30).slice(7), message(99)];
  return opened(store, catalog, await writeBackup(catalog, { ...later, queues: [{ name: "q", records }] }));
}

function opened(store: ReturnType<typeof memoryStore>, catalog: Catalog, manifest: Manifest) {
  const content = new Tampered({ store, codec: inlineCodec({ level: 3 }) }, catalog, manifest, {});
  const [queue] = manifest.queues;
  if (queue === undefined) throw new Error("no queue");
  return { content, queue };
}

async function bodiesOf(content: Tampered, queue: QueueEntry): Promise<string[]> {
  const found: string[] = [];
  for await (const records of content.records({ source: queue, choice: null }, 0))
    found.push(...bodies(records));
  return found;
}

describe("content that is held against its fingerprints", () => {
  it("comes out where they agree, over a chain too, and is looked at once", async () => {
    const { content, queue } = await chain();
    const expected = bodies([...messages(30).slice(7), message(99)]);
    expect(await bodiesOf(content, queue)).toEqual(expected);
    expect(await bodiesOf(content, queue)).toEqual(expected);
    expect(content.asked).toBe(1);
  });

  it.each([0, 11, 23])("does not come out where one differs: number %i", async (number) => {
    const { content, queue } = await chain();
    content.change = (all) => {
      all.writeUInt8(all.readUInt8(number * 16 + 5) ^ 1, number * 16 + 5);
      return all;
    };
    await expect(bodiesOf(content, queue)).rejects.toMatchObject({
      code: "ARCHIVE_DAMAGED",
      message: expect.stringContaining(`message ${number + 1} of queue q in virtual host / `) as string,
    });
    expect(content.asked).toBe(1);
  });

  it("does not come out where the index has fewer", async () => {
    const { content, queue } = await chain();
    content.change = (all) => all.subarray(0, 20 * 16);
    await expect(bodiesOf(content, queue)).rejects.toThrow("message 21 of queue q");
  });
});
