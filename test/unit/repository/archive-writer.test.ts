import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decompress } from "zstd-napi";
import { localSpool } from "../../../src/adapters/archive/local-spool.ts";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import { BackupError } from "../../../src/domain/errors.ts";
import { queueFolder } from "../../../src/domain/entry-name.ts";
import type { MessageRecord } from "../../../src/domain/message.ts";
import { readRecords } from "../../../src/domain/record.ts";
import type { PlainSegment, SealedSegment, SegmentCodec } from "../../../src/ports/segment-codec.ts";
import type { SpooledFile } from "../../../src/ports/spool.ts";
import { ArchiveWriter, type ArchiveWriterOptions } from "../../../src/repository/archive-writer.ts";
import { fingerprintsOf } from "../../../src/repository/fingerprints.ts";
import { ShippedSegments, type ShippedVolume } from "../../../src/repository/shipped-segments.ts";
import { SegmentBuilder, type BuiltSegment } from "../../../src/repository/segment-builder.ts";
import { volumeNumber } from "../../../src/repository/volume.ts";
import { DEFINITIONS, message } from "../../fakes/sample-backup.ts";
import { tempDirectory } from "../../lab/temp.ts";

const codec = inlineCodec({ level: 1 });

function segmentOf(...numbers: readonly number[]): BuiltSegment {
  const builder = new SegmentBuilder(1_000_000);
  for (const number of numbers) builder.append(message(number, 200));
  return builder.take();
}

interface Setting extends AsyncDisposable {
  readonly archive: ArchiveWriter;
  /** Bytes of the volumes by name, once they were given to `onVolume`. */
  readonly volumes: Map<string, Buffer>;
}

async function setting(options: Partial<ArchiveWriterOptions> = {}): Promise<Setting> {
  const directory = await tempDirectory();
  const spool = localSpool(directory.path);
  const volumes = new Map<string, Buffer>();
  const archive = new ArchiveWriter({
    spool,
    codec,
    volumeBytes: 2000,
    modifiedAt: 1_795_000_000,
    roomForVolume: async () => undefined,
    onVolume: async (file) => {
      volumes.set(file.name, await contentOf(file));
    },
    ...options,
  });
  return {
    archive,
    volumes,
    [Symbol.asyncDispose]: async () => {
      await archive[Symbol.asyncDispose]();
      await spool[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function contentOf(file: SpooledFile): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of file.body.open()) parts.push(part);
  return Buffer.concat(parts);
}

/** A codec whose answers come in any order. */
function shuffling(delays: () => number): SegmentCodec {
  const later = async (work: () => Promise<SealedSegment>): Promise<SealedSegment> => {
    await new Promise((resolve) => setTimeout(resolve, delays()));
    return work();
  };
  return {
    ...codec,
    sealRecords: async (segment: PlainSegment) => later(async () => codec.sealRecords(segment)),
    sealEntry: async (segment: PlainSegment) => later(async () => codec.sealEntry(segment)),
  };
}

test("segments of many queues, sealed in any order, come back from where they are said to be", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 24 }),
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 30, maxLength: 30 }),
      async (queues, delays) => {
        let next = 0;
        const delay = (): number => delays[next++ % delays.length] ?? 0;
        await using at = await setting({ codec: shuffling(delay) });
        const finished: string[] = [];
        const added = queues.map(async (queue, number) => {
          const stored = await at.archive.addRecords(
            queueFolder(queue + 1, "q"),
            segmentOf(number, number + 1),
          );
          finished.push(`${queue} ${number}`);
          return { number, stored };
        });
        const segments = await Promise.all(added);
        const volumes = await at.archive.finish();
        expect(volumes.map(({ name }) => name)).toEqual([...at.volumes.keys()].toSorted());
        for (const { number, stored } of segments) {
          const volume = at.volumes.get(volumes[stored.volume - 1]?.name ?? "") ?? Buffer.alloc(0);
          const frames = volume.subarray(stored.offset, stored.offset + stored.length);
          const plain = await codec.open(frames, stored);
          const bodies = [...readRecords(plain, 2)].map(({ body }) => Buffer.from(body).toString());
          expect(bodies).toEqual(
            [message(number, 200), message(number + 1, 200)].map(({ body }) => body.toString()),
          );
          expect(Buffer.from(stored.fingerprints).equals(fingerprintsOf(plain))).toBe(true);
        }
        // Per queue in the order of adding, in the answers and in the volumes.
        for (const queue of new Set(queues)) {
          const own = queues.flatMap((each, number) => (each === queue ? [`${queue} ${number}`] : []));
          expect(finished.filter((entry) => entry.startsWith(`${queue} `))).toEqual(own);
          const places = segments
            .filter(({ number }) => queues[number] === queue)
            .map(({ stored }) => stored);
          const sorted = places.toSorted((a, b) => a.volume - b.volume || a.offset - b.offset);
          expect(places).toEqual(sorted);
        }
      },
    ),
    { numRuns: 25 },
  );
});

test("a volume is closed before it would grow past its limit; a large segment is a volume alone", async () => {
  await using at = await setting({ volumeBytes: 3000 });
  const folder = queueFolder(1, "q");
  const random = (bytes: number): BuiltSegment => {
    const builder = new SegmentBuilder(1_000_000);
    const body = Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7919 + ((i * i) >> 3)) & 0xff));
    builder.append({ ...message(0), body: crypto.getRandomValues(body) });
    return builder.take();
  };
  const stored = [];
  for (const bytes of [800, 800, 5000, 800]) stored.push(await at.archive.addRecords(folder, random(bytes)));
  const volumes = await at.archive.finish();
  expect(stored.map(({ volume }) => volume)).toEqual([1, 1, 2, 3]);
  expect(volumes.map(({ bytes }) => bytes <= 3000)).toEqual([true, false, true]);
});

test("definitions and nothing else", async () => {
  await using at = await setting();
  const entry = await at.archive.addDefinitions(DEFINITIONS);
  const [volume] = await at.archive.finish();
  expect(entry).toMatchObject({ vhost: "/", volume: 1 });
  const bytes = at.volumes.get(volume?.name ?? "") ?? Buffer.alloc(0);
  const plain = await codec.open(bytes.subarray(entry.offset, entry.offset + entry.length), entry);
  expect(JSON.parse(Buffer.from(plain).toString())).toEqual(DEFINITIONS);
});

test("nothing added, no volume", async () => {
  await using at = await setting();
  expect(await at.archive.finish()).toEqual([]);
  expect(at.volumes.size).toBe(0);
});

test("without room for a volume adding waits; a failure meanwhile ends the waiting", async () => {
  const full = new BackupError("TARGET_FULL", "no space left");
  let give = (): void => undefined;
  let asked = 0;
  const shipping: ((error: Error) => void)[] = [];
  await using at = await setting({
    volumeBytes: 1,
    roomForVolume: async () => {
      asked += 1;
      if (asked > 1) await new Promise<void>((resolve) => (give = resolve));
    },
    onVolume: async () => new Promise<void>((_, reject) => shipping.push(reject)),
  });
  let stored = 0;
  const adding = Array.from({ length: 4 }, async (_, number) => {
    await at.archive.addRecords(queueFolder(1, "q"), segmentOf(number));
    stored += 1;
  });
  const outcomes = Promise.allSettled(adding);
  await expect.poll(() => asked).toBe(2);
  expect(stored).toBe(1);
  give();
  await expect.poll(() => asked).toBe(3);
  expect(stored).toBe(2);
  shipping[0]?.(full);
  expect((await outcomes).map(({ status }) => status)).toEqual([
    "fulfilled",
    "fulfilled",
    "rejected",
    "rejected",
  ]);
  for (const fail of shipping) fail(full);
  await expect(at.archive.finish()).rejects.toBe(full);
});

test("a volume that cannot be shipped fails everything after it, with its own error", async () => {
  const full = new BackupError("TARGET_FULL", "no space left");
  await using at = await setting({
    volumeBytes: 1,
    onVolume: async () => {
      throw full;
    },
  });
  const folder = queueFolder(1, "q");
  const outcomes = await Promise.allSettled(
    Array.from({ length: 5 }, async (_, number) => at.archive.addRecords(folder, segmentOf(number))),
  );
  expect(outcomes.at(-1)).toMatchObject({ status: "rejected", reason: full });
  await expect(at.archive.addDefinitions(DEFINITIONS)).rejects.toBe(full);
  await expect(at.archive.finish()).rejects.toBe(full);
});

test("the last volume that cannot be shipped fails finish", async () => {
  const full = new BackupError("TARGET_FULL", "no space left");
  await using at = await setting({ onVolume: async () => Promise.reject(full) });
  await at.archive.addRecords(queueFolder(1, "q"), segmentOf(1));
  await expect(at.archive.finish()).rejects.toBe(full);
});

test("a segment that cannot be sealed, and one that cannot be spooled", async () => {
  const broken = new BackupError("INTERNAL", "a thread died");
  {
    await using at = await setting({ codec: { ...codec, sealRecords: async () => Promise.reject(broken) } });
    await expect(at.archive.addRecords(queueFolder(2, "q"), segmentOf(1))).rejects.toBe(broken);
    await expect(at.archive.finish()).rejects.toBe(broken);
  }
  await using at = await setting({ spool: { create: async () => Promise.reject(broken) } });
  await expect(at.archive.addRecords(queueFolder(1, "q"), segmentOf(1))).rejects.toBe(broken);
  await expect(at.archive.finish()).rejects.toBe(broken);
});

test("disposal waits until nothing is being shipped", async () => {
  let shipped = false;
  const at = await setting({
    volumeBytes: 1,
    onVolume: async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      shipped = true;
    },
  });
  await at.archive.addRecords(queueFolder(1, "q"), segmentOf(1));
  await at.archive.addRecords(queueFolder(1, "q"), segmentOf(2));
  await at.archive[Symbol.asyncDispose]();
  expect(shipped).toBe(true);
  await expect(at.archive.addRecords(queueFolder(1, "q"), segmentOf(3))).rejects.toThrow("closed");
  await at[Symbol.asyncDispose]();
});

describe("segments an interrupted run has shipped", () => {
  const folder = queueFolder(1, "q");

  /** Volumes as a run before left them, one segment in each. */
  async function shippedVolumes(...segments: readonly BuiltSegment[]): Promise<readonly ShippedVolume[]> {
    const shipped: ShippedVolume[] = [];
    await using at = await setting({
      volumeBytes: 1,
      onVolume: async ({ name, bytes, sha256 }, contained) => {
        shipped.push({ name, bytes, sha256, number: volumeNumber(name) ?? 0, segments: contained });
        return Promise.resolve();
      },
    });
    for (const segment of segments) await at.archive.addRecords(folder, segment);
    await at.archive.finish();
    return shipped;
  }

  function built(records: readonly MessageRecord[]): BuiltSegment {
    const builder = new SegmentBuilder(1_000_000);
    for (const record of records) builder.append(record);
    return builder.take();
  }

  test("are not stored again, whatever the broker did to their deliveries; what differs is, behind them", async () => {
    const volumes = await shippedVolumes(segmentOf(1, 2), segmentOf(3, 4), segmentOf(5, 6));
    const shipped = new ShippedSegments(volumes);
    await using at = await setting({ shipped, firstVolume: 7 });
    const again = built([1, 2].map((number) => ({ ...message(number, 200), redelivered: true })));
    const stored = [];
    for (const segment of [again, segmentOf(3, 9), segmentOf(5, 6), segmentOf(7)])
      stored.push(at.archive.addRecords(folder, segment));
    const [first, second, third, fourth] = await Promise.all(stored);
    const known = volumes[0]?.segments[0];
    expect(first).toMatchObject({ volume: 1, offset: known?.offset, sha256: known?.sha256 });
    const plain = segmentOf(1, 2);
    expect(first?.fingerprints).toEqual(fingerprintsOf(plain.padded.subarray(0, plain.plainBytes)));
    expect([second, third, fourth].map((each) => each?.volume)).toEqual([7, 3, 7]);
    const [volume] = await at.archive.finish();
    expect(volume?.name).toBe("data-00007.tar.zst");
    expect([shipped.count, shipped.used().map(({ number }) => number)]).toEqual([2, [1, 3]]);
    const bytes = at.volumes.get("data-00007.tar.zst") ?? Buffer.alloc(0);
    expect(decompress(bytes.subarray(0, second?.offset)).toString("latin1")).toContain("000002.records");
  });

  test("of a stream only with the same offsets", async () => {
    const records = (from: number): MessageRecord[] =>
      [1, 2].map((number) => ({ ...message(number, 200), streamOffset: from + number }));
    const volumes = await shippedVolumes(built(records(100)));
    for (const [from, volume] of [
      [100, 1],
      [101, 2],
    ] as const) {
      await using at = await setting({ shipped: new ShippedSegments(volumes), firstVolume: 2 });
      expect(await at.archive.addRecords(folder, built(records(from)))).toMatchObject({ volume });
    }
  });

  test("of two for one place the later alone", async () => {
    const [older] = await shippedVolumes(segmentOf(1, 2));
    const [newer] = await shippedVolumes(segmentOf(1, 3));
    if (!older || !newer) throw new Error("a volume is missing");
    const volumes = [older, { ...newer, number: 2 }];
    for (const [segment, volume] of [
      [segmentOf(1, 2), 3],
      [segmentOf(1, 3), 2],
    ] as const) {
      await using at = await setting({ shipped: new ShippedSegments(volumes), firstVolume: 3 });
      expect(await at.archive.addRecords(folder, segment)).toMatchObject({ volume });
    }
  });

  test("a failure to take fingerprints fails everything", async () => {
    const broken = new BackupError("INTERNAL", "a thread died");
    const shipped = new ShippedSegments(await shippedVolumes(segmentOf(1, 2)));
    const failingCodec = { ...codec, fingerprint: async () => Promise.reject(broken) };
    await using at = await setting({ shipped, firstVolume: 2, codec: failingCodec });
    await expect(at.archive.addRecords(folder, segmentOf(1, 2))).rejects.toBe(broken);
    await expect(at.archive.finish()).rejects.toBe(broken);
  });
});
