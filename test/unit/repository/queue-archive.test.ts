import { expect, test } from "vitest";
import type { IndexEntry } from "../../../src/domain/manifest.ts";
import type { StoredSegment } from "../../../src/repository/archive-writer.ts";
import { QueueArchive } from "../../../src/repository/queue-archive.ts";
import type { BuiltSegment } from "../../../src/repository/segment-builder.ts";

const ENTRIES: readonly IndexEntry[] = [{ offset: 0, length: 1, records: 1, plainBytes: 16, sha256: "" }];

function built(records: number): BuiltSegment {
  return { padded: new Uint8Array(512), plainBytes: 100 + records, records };
}

/** An archive that stores when told to. */
function scripted() {
  const waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  const indexed: number[] = [];
  const archive = {
    addRecords: async (_folder: string, { plainBytes, records }: BuiltSegment): Promise<StoredSegment> => {
      await new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
      const fingerprints = new Uint8Array(16).fill(records);
      return { volume: 1, offset: plainBytes, length: 5, plainBytes, records, sha256: "s", fingerprints };
    },
  };
  const index = {
    add: async (_folder: string, fingerprints: Uint8Array) => {
      indexed.push(fingerprints[0] ?? 0);
    },
    endQueue: async () => ENTRIES,
  };
  return { archive, index, waiting, indexed };
}

test("segments and fingerprints keep the order they came in, however they were stored", async () => {
  const { archive, index, waiting, indexed } = scripted();
  const queue = new QueueArchive({ archive, index, folder: "queues/00001-q", ahead: 4 });
  for (const records of [3, 1, 2]) await queue.append(built(records));
  for (const { resolve } of waiting.toReversed()) {
    resolve();
    await new Promise((later) => setTimeout(later, 1));
  }
  const { segments, index: entries } = await queue.finish();
  expect(segments.map(({ records, first }) => [records, first])).toEqual([
    [3, 0],
    [1, 3],
    [2, 4],
  ]);
  expect(segments[0]).toEqual({
    volume: 1,
    offset: 103,
    length: 5,
    plainBytes: 103,
    records: 3,
    first: 0,
    sha256: "s",
  });
  expect(indexed).toEqual([3, 1, 2]);
  expect(entries).toBe(ENTRIES);
});

test("no more segments are on their way than allowed", async () => {
  const { archive, index, waiting } = scripted();
  const queue = new QueueArchive({ archive, index, folder: "queues/00001-q", ahead: 2 });
  let appended = 0;
  const appending = (async () => {
    for (const records of [1, 2, 3, 4]) {
      await queue.append(built(records));
      appended += 1;
    }
  })();
  for (const [stored, expected] of [1, 2, 3].entries()) {
    await new Promise((later) => setTimeout(later, 5));
    expect([appended, waiting.length]).toEqual([expected, expected + 1]);
    waiting[stored]?.resolve();
  }
  await appending;
  waiting[3]?.resolve();
  expect((await queue.finish()).segments).toHaveLength(4);
});

test("a segment that is not stored fails the next append, and finish", async () => {
  const { archive, index, waiting } = scripted();
  const queue = new QueueArchive({ archive, index, folder: "queues/00001-q", ahead: 2 });
  const full = new Error("no space left");
  await queue.append(built(1));
  waiting[0]?.reject(full);
  await expect(queue.append(built(2))).rejects.toBe(full);
  waiting[1]?.resolve();
  await expect(queue.append(built(3))).rejects.toBe(full);
  waiting[2]?.resolve();
  await expect(queue.finish()).rejects.toBe(full);
});
