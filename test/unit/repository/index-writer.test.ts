import fc from "fast-check";
import { expect, test } from "vitest";
import { localSpool } from "../../../src/adapters/archive/local-spool.ts";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import { queueFolder } from "../../../src/domain/entry-name.ts";
import { IndexWriter } from "../../../src/repository/index-writer.ts";
import { tempDirectory } from "../../lab/temp.ts";

const codec = inlineCodec({ level: 1 });
const modifiedAt = 1_795_000_000;

test("fingerprints come back per queue, in order, in entries of at most the limit", async () => {
  await using directory = await tempDirectory();
  const addition = fc.record({ queue: fc.nat(3), fingerprints: fc.nat(9) });
  await fc.assert(
    fc.asyncProperty(fc.array(addition, { maxLength: 30 }), async (additions) => {
      await using spool = localSpool(directory.join("spool"));
      const index = new IndexWriter({ spool, codec, modifiedAt, entryBytes: 4 * 16 });
      const expected = new Map<number, Buffer[]>();
      const adding = additions.map(async ({ queue, fingerprints }, at) => {
        const bytes = Buffer.alloc(fingerprints * 16, at);
        expected.set(queue, [...(expected.get(queue) ?? []), bytes]);
        await index.add(queueFolder(queue + 1, "q"), bytes);
      });
      await Promise.all(adding);
      const entries = new Map<number, Awaited<ReturnType<IndexWriter["endQueue"]>>>();
      for (const queue of expected.keys())
        entries.set(queue, await index.endQueue(queueFolder(queue + 1, "q")));
      const file = await index.finish();
      expect(file.name).toBe("index.tar.zst");
      const parts: Uint8Array[] = [];
      for await (const part of file.body.open()) parts.push(part);
      const stored = Buffer.concat(parts);
      for (const [queue, bytes] of expected) {
        const read: Uint8Array[] = [];
        for (const entry of entries.get(queue) ?? []) {
          expect(entry.records).toBeLessThanOrEqual(4);
          expect(entry.plainBytes).toBe(entry.records * 16);
          read.push(await codec.open(stored.subarray(entry.offset, entry.offset + entry.length), entry));
        }
        expect(Buffer.concat(read).equals(Buffer.concat(bytes))).toBe(true);
        // All but the last are full.
        for (const { records } of (entries.get(queue) ?? []).slice(0, -1)) expect(records).toBe(4);
      }
    }),
    { numRuns: 40 },
  );
});

test("an index of nothing is an archive of nothing", async () => {
  await using directory = await tempDirectory();
  await using spool = localSpool(directory.path);
  const index = new IndexWriter({ spool, codec, modifiedAt });
  expect(await index.endQueue("queues/00001-q")).toEqual([]);
  expect((await index.finish()).bytes).toBe(11);
});

test("a failure is told to whoever comes, and stays", async () => {
  const broken = new Error("the disk is full");
  const spool = { create: async () => Promise.reject(broken) };
  const index = new IndexWriter({ spool, codec, modifiedAt, entryBytes: 16 });
  await expect(index.add("queues/00001-q", Buffer.alloc(16))).rejects.toBe(broken);
  await expect(index.finish()).rejects.toBe(broken);
});
