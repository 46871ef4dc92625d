import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { copyFile, writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { extract } from "tar-stream";
import { CompressStream, compress, decompress } from "zstd-napi";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inlineCodec } from "../../src/adapters/codec/inline-codec.ts";
import { SegmentBuilder } from "../../src/repository/segment-builder.ts";
import { buildSources } from "./built.ts";
import type { BuiltSources } from "./built.ts";
import type { PlainSegment, SealedSegment, SegmentCodec } from "../../src/ports/segment-codec.ts";

const MODIFIED_AT = 1_790_000_000;
const NAME = "queues/00001-orders/000001.records";

let built: BuiltSources;
beforeAll(async () => void (built = await buildSources()));
afterAll(async () => built[Symbol.asyncDispose]());

async function threadedCodec(
  options: { threads?: number; level: number },
  sources = built,
): Promise<SegmentCodec> {
  const { href } = sources.url("adapters/codec/threaded-codec.ts");
  const module: typeof import("../../src/adapters/codec/threaded-codec.ts") = await import(href);
  return module.threadedCodec(options);
}

/** A segment of records with these bodies. */
function recordsOf(bodies: readonly Uint8Array[], entryName = NAME): PlainSegment {
  const builder = new SegmentBuilder(64 * 1024 * 1024);
  for (const body of bodies) {
    builder.append({
      redelivered: true,
      exchange: Buffer.from("x"),
      routingKey: Buffer.from("key"),
      properties: Buffer.of(0x10, 0, 2),
      body,
    });
  }
  const { padded, plainBytes } = builder.take();
  return { entryName, modifiedAt: MODIFIED_AT, padded, plainBytes };
}

function entryOf(bytes: Uint8Array, entryName = NAME): PlainSegment {
  const padded = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
  padded.set(bytes);
  return { entryName, modifiedAt: MODIFIED_AT, padded, plainBytes: bytes.length };
}

/** Bytes that compress, and are all different from zero. */
function someBytes(length: number): Buffer {
  return Buffer.alloc(length, Buffer.from(Array.from(randomBytes(97), (byte) => byte | 1)));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What a reader is to expect of these frames. */
function expecting(frames: Uint8Array, plainBytes: number) {
  return { sha256: sha256(frames), plainBytes };
}

/** The sealed entry as an independent tar reader sees it. */
async function untar({ headerFrames, frames }: SealedSegment) {
  const tar = Buffer.concat([decompress(headerFrames), decompress(frames), Buffer.alloc(1024)]);
  const entries = [];
  for await (const entry of Readable.from([tar]).pipe(extract())) {
    entries.push({ header: entry.header, body: await buffer(entry) });
  }
  return entries;
}

function failure(code: string) {
  return expect.objectContaining({ name: "BackupError", code });
}

const implementations: readonly (readonly [string, () => Promise<SegmentCodec>])[] = [
  ["inlineCodec", async () => inlineCodec({ level: 1 })],
  ["threadedCodec with one thread", async () => threadedCodec({ level: 1, threads: 1 })],
  ["threadedCodec with two threads", async () => threadedCodec({ level: 1, threads: 2 })],
];

describe.each(implementations)("%s", (_name, open) => {
  let codec: SegmentCodec;
  beforeAll(async () => void (codec = await open()));
  afterAll(async () => codec[Symbol.asyncDispose]());

  it.each([1, 3, 2000])("seals %i records as one tar entry", async (count) => {
    const bodies = Array.from({ length: count }, (_, i) => someBytes(i));
    const segment = recordsOf(bodies);
    const plain = Buffer.from(segment.padded.subarray(0, segment.plainBytes));
    const sealed = await codec.sealRecords(segment);
    const [entry, ...more] = await untar(sealed);
    expect(more).toEqual([]);
    expect(entry?.header).toMatchObject({
      name: NAME,
      size: plain.length,
      mode: 0o600,
      uid: 0,
      gid: 0,
      type: "file",
    });
    expect(entry?.header.mtime).toEqual(new Date(MODIFIED_AT * 1000));
    expect(entry?.body.equals(plain)).toBe(true);
    expect(sealed.sha256).toBe(sha256(sealed.frames));
    expect(sealed.fingerprints).toHaveLength(count * 16);
  });

  it("takes the fingerprint of each record in order", async () => {
    const bodies = [Buffer.from("one"), Buffer.alloc(0), someBytes(5000), Buffer.from("one")];
    const { fingerprints } = await codec.sealRecords(recordsOf(bodies));
    const wanted = bodies.map((body) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length);
      const head = Buffer.from("\u0001x\u0003key\0\0\0\u0003\u0010\0\u0002", "latin1");
      return sha256(Buffer.concat([head, length, body])).slice(0, 32);
    });
    expect(Buffer.from(fingerprints).toString("hex")).toBe(wanted.join(""));
  });

  it.each([1, 300_000])(
    "gives the fingerprints that sealing takes, and the segment back (%i bytes)",
    async (bytes) => {
      const segment = recordsOf([someBytes(bytes), Buffer.from("second")]);
      const before = Buffer.from(segment.padded);
      const taken = await codec.fingerprint(segment);
      expect(Buffer.from(taken.padded).equals(before)).toBe(true);
      const sealed = await codec.sealRecords({ ...segment, padded: taken.padded });
      expect(Buffer.from(taken.fingerprints).equals(sealed.fingerprints)).toBe(true);
      expect(taken.fingerprints).toHaveLength(32);
      const again = await codec.fingerprint(recordsOf([someBytes(bytes)]));
      codec.recycle(again.padded);
      await expect(codec.fingerprint(entryOf(someBytes(100)))).rejects.toEqual(failure("ARCHIVE_DAMAGED"));
    },
  );

  it("seals other entries without fingerprints", async () => {
    const sealed = await codec.sealEntry(entryOf(Buffer.from('{"vhost":"/"}'), "definitions.json"));
    const [entry] = await untar(sealed);
    expect(entry?.header.name).toBe("definitions.json");
    expect(entry?.body.toString()).toBe('{"vhost":"/"}');
    expect(sealed.fingerprints).toHaveLength(0);
  });

  it.each([0, 1, 511, 512, 513, 100_000, 3_000_000])("opens an entry of %i bytes", async (length) => {
    const plain = someBytes(length);
    const { frames } = await codec.sealEntry(entryOf(plain));
    const kept = Buffer.from(frames);
    const expected = expecting(frames, length);
    for (let times = 0; times < 2; times++) {
      const opened = await codec.open(frames, expected);
      expect(Buffer.from(opened).equals(plain)).toBe(true);
    }
    expect(Buffer.from(frames).equals(kept)).toBe(true);
  });

  it("opens what cannot be compressed, and frames in the middle of other memory", async () => {
    const plain = randomBytes(700_000);
    const { frames } = await codec.sealEntry(entryOf(plain));
    const around = Buffer.concat([randomBytes(100), frames, randomBytes(100)]);
    const opened = await codec.open(around.subarray(100, -100), expecting(frames, plain.length));
    expect(Buffer.from(opened).equals(plain)).toBe(true);
  });

  it("leaves memory alone that small entries share with others", async () => {
    const shared = new Uint8Array(4096).fill(7);
    await codec.sealEntry({
      ...entryOf(Buffer.alloc(512)),
      padded: shared.subarray(512, 1024),
      plainBytes: 512,
    });
    expect(shared).toEqual(new Uint8Array(4096).fill(7));
  });

  it("keeps many calls at once apart", async () => {
    const plains = Array.from({ length: 12 }, (_, i) => someBytes(1000 + i * 40_000));
    const opened = await Promise.all(
      plains.map(async (plain) => {
        const { frames } = await codec.sealEntry(entryOf(plain));
        return codec.open(frames, expecting(frames, plain.length));
      }),
    );
    expect(opened.map((bytes) => sha256(bytes))).toEqual(plains.map((plain) => sha256(plain)));
  });

  it("gives memory that nothing else uses, however late what was before is given back", async () => {
    const inUse: { sealed: SealedSegment; opened: Uint8Array; plain: Buffer }[] = [];
    for (let i = 0; i < 40; i++) {
      const bytes = i % 5 === 0 ? 1024 : 300_032;
      const memory = codec.memory(bytes);
      expect(memory).toHaveLength(bytes);
      memory.set(someBytes(bytes));
      const plain = Buffer.from(memory);
      const segment = { entryName: NAME, modifiedAt: MODIFIED_AT, padded: memory, plainBytes: bytes };
      const sealed = await codec.sealEntry(segment);
      inUse.push({ sealed, opened: await codec.open(sealed.frames, expecting(sealed.frames, bytes)), plain });
      for (const each of inUse) {
        expect(each.plain.equals(each.opened)).toBe(true);
        expect(sha256(each.sealed.frames)).toBe(each.sealed.sha256);
      }
      const done = i % 3 === 2 ? inUse.splice(0, 2) : [];
      for (const each of done) each.sealed.release();
      for (const each of done) codec.recycle(each.opened);
      for (const each of done) codec.recycle(each.opened);
    }
  });

  it("recycles nothing but what it has opened", async () => {
    const bytes = 300_032;
    const { frames } = await codec.sealEntry(entryOf(someBytes(bytes)));
    const foreign = new Uint8Array(512 * 1024).fill(7);
    codec.recycle(foreign);
    await codec.open(frames, expecting(frames, bytes));
    expect(foreign).toEqual(new Uint8Array(512 * 1024).fill(7));
  });

  describe("refuses", () => {
    const plain = someBytes(1000);
    let frames: Uint8Array;
    beforeAll(async () => void ({ frames } = await codec.sealEntry(entryOf(plain))));

    it("frames with another checksum", async () => {
      const changed = Buffer.from(frames);
      changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
      await expect(codec.open(changed, expecting(frames, 1000))).rejects.toThrow(failure("ARCHIVE_DAMAGED"));
    });

    it("every changed byte and every cut, whatever the checksum says", async () => {
      for (let at = 0; at < frames.length; at++) {
        const changed = Buffer.from(frames);
        changed[at] = (changed[at] ?? 0) ^ 0x10;
        const opened = codec.open(changed, expecting(changed, 1000)).then((bytes) => Buffer.from(bytes));
        // A bit that zstd does not look at may change; the content may not.
        await expect(
          opened.catch((error: unknown) => error),
          `changed at ${at}`,
        ).resolves.toSatisfy((result) =>
          result instanceof Buffer
            ? result.equals(plain)
            : failure("ARCHIVE_DAMAGED").asymmetricMatch(result),
        );
        const cut = frames.subarray(0, at);
        await expect(codec.open(cut, expecting(cut, 1000))).rejects.toThrow(failure("ARCHIVE_DAMAGED"));
      }
    });

    it.each([0, 1, 512, 999, 1025, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER])(
      "an entry that should have %i bytes and has not",
      async (plainBytes) => {
        await expect(codec.open(frames, expecting(frames, plainBytes))).rejects.toThrow(
          failure("ARCHIVE_DAMAGED"),
        );
      },
    );

    it("more than one frame, and what follows one", async () => {
      const [half] = [compress(Buffer.alloc(512, 1))];
      const skippable = Buffer.concat([Buffer.of(0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0), Buffer.alloc(4)]);
      for (const tail of [half, skippable, compress(Buffer.alloc(0)), Buffer.of(0)]) {
        const two = Buffer.concat([frames, tail]);
        await expect(codec.open(two, expecting(two, 1000))).rejects.toThrow(failure("ARCHIVE_DAMAGED"));
      }
      const halves = Buffer.concat([half, half]);
      await expect(codec.open(halves, expecting(halves, 1024))).rejects.toThrow(failure("ARCHIVE_DAMAGED"));
    });

    it("a frame that does not declare its size", async () => {
      const stream = new CompressStream();
      stream.end(Buffer.alloc(1024, 1));
      const frame = await buffer(stream);
      await expect(codec.open(frame, expecting(frame, 1024))).rejects.toThrow(failure("ARCHIVE_DAMAGED"));
    });

    it("a frame that declares more than its length can ever hold, before memory is taken", async () => {
      const declared = 3 * 2 ** 30;
      const bomb = Buffer.concat([
        Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0xe0),
        Buffer.alloc(8),
        Buffer.from(frames),
      ]);
      bomb.writeBigUInt64LE(BigInt(declared), 5);
      await expect(codec.open(bomb, expecting(bomb, declared))).rejects.toThrow(
        expect.objectContaining({ code: "ARCHIVE_DAMAGED", message: expect.stringContaining("declare") }),
      );
    });

    it("padding that is not zeros", async () => {
      const padded = entryOf(plain);
      padded.padded[1010] = 1;
      const sealed = await codec.sealEntry(padded);
      await expect(codec.open(sealed.frames, expecting(sealed.frames, 1000))).rejects.toThrow(
        failure("ARCHIVE_DAMAGED"),
      );
    });

    it("to seal what is not a segment, and goes on with the next", async () => {
      await expect(codec.sealRecords(entryOf(plain))).rejects.toThrow(failure("ARCHIVE_DAMAGED"));
      await expect(codec.sealRecords(recordsOf([plain]))).resolves.toHaveProperty("sha256");
    });

    it("to seal what is not padded to whole blocks", async () => {
      const unpadded = {
        entryName: NAME,
        modifiedAt: MODIFIED_AT,
        padded: someBytes(1000),
        plainBytes: 1000,
      };
      await expect(codec.sealEntry(unpadded)).rejects.toThrow(failure("INTERNAL"));
      const tooLong = { ...unpadded, padded: new Uint8Array(1536) };
      await expect(codec.sealEntry(tooLong)).rejects.toThrow(failure("INTERNAL"));
    });

    it.each(["", "a b", "ü", "n".repeat(101), "new\nline"])("the entry name %j", async (name) => {
      await expect(codec.sealEntry(entryOf(plain, name))).rejects.toThrow(failure("INTERNAL"));
    });
  });

  it("takes entry names of a hundred bytes, and times beyond 2038 as the last a header can say", async () => {
    const name = `${"d".repeat(60)}/${"f".repeat(39)}`;
    const sealed = await codec.sealEntry({
      ...entryOf(Buffer.from("late"), name),
      modifiedAt: 4_000_000_000,
    });
    const [entry] = await untar(sealed);
    expect(entry?.header).toMatchObject({ name, mtime: new Date((2 ** 31 - 1) * 1000) });
  });
});

describe("threadedCodec", () => {
  it("takes large segments without a copy", async () => {
    await using codec = await threadedCodec({ level: 1 });
    const segment = recordsOf([someBytes(200_000)]);
    const sealing = codec.sealRecords(segment);
    expect(segment.padded).toHaveLength(0);
    await expect(sealing).resolves.toHaveProperty("fingerprints");
  });

  it("lets the calling thread go on meanwhile", async () => {
    await using codec = await threadedCodec({ level: 9 });
    let turns = 0;
    const sealing = codec.sealRecords(recordsOf([randomBytes(20_000_000)])).then(() => turns);
    for (; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
    await expect(sealing).resolves.toBe(100);
  });

  it("refuses memory that was handed over before", async () => {
    await using codec = await threadedCodec({ level: 1 });
    const segment = recordsOf([someBytes(200_000)]);
    await codec.sealRecords(segment);
    await expect(codec.sealRecords(segment)).rejects.toThrow("detached");
    await expect(codec.sealRecords(recordsOf([someBytes(9)]))).resolves.toHaveProperty("sha256");
  });

  it("rejects what is under way and what waits when it is disposed, and everything after", async () => {
    const codec = await threadedCodec({ level: 9 });
    const calls = [1, 2, 3].map(async () => codec.sealRecords(recordsOf([randomBytes(3_000_000)])));
    const settled = Promise.allSettled(calls);
    await codec[Symbol.asyncDispose]();
    await codec[Symbol.asyncDispose]();
    for (const result of await settled) {
      expect(result).toEqual({ status: "rejected", reason: failure("INTERRUPTED") });
    }
    await expect(codec.sealEntry(entryOf(someBytes(5)))).rejects.toThrow(failure("INTERRUPTED"));
  });

  it.each([
    ["throws when it starts", 'throw new Error("no room")', "Error: no room"],
    ["throws later", 'parentPort.on("message", () => { throw new Error("no room"); })', "Error: no room"],
    ["ends", 'parentPort.on("message", () => process.exit(3))', "exit status 3"],
  ])("rejects the call of a thread that %s, and starts another", async (_how, script, why) => {
    await using sources = await buildSources();
    const thread = sources.url("adapters/codec/seal-thread.ts");
    await writeFile(thread, `import { parentPort } from "node:worker_threads"; ${script};`);
    await using codec = await threadedCodec({ level: 1 }, sources);
    const calls = [1, 2].map(async () => codec.sealEntry(entryOf(someBytes(5))));
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({
        reason: { code: "INTERNAL", message: `a sealing thread died: ${why}` },
      });
    }
    await copyFile(built.url("adapters/codec/seal-thread.ts"), thread);
    await expect(codec.sealEntry(entryOf(someBytes(5)))).resolves.toHaveProperty("frames");
  });

  it("does not keep a process alive that is done with it", async () => {
    const script = `
      const { threadedCodec } = await import(${JSON.stringify(built.url("adapters/codec/threaded-codec.ts").href)});
      const codec = threadedCodec({ level: 1, threads: 2 });
      const entry = () => ({ entryName: "e", modifiedAt: 0, padded: new Uint8Array(1024), plainBytes: 1000 });
      await Promise.all([1, 2, 3].map(() => codec.sealEntry(entry())));
      console.log("sealed");`;
    const args = ["--input-type=module", "--eval", script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
    expect(stdout).toBe("sealed\n");
  });
});
