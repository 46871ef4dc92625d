import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { localSpool } from "../../../../src/adapters/archive/local-spool.ts";
import { AgeBackupKey } from "../../../../src/adapters/encryption/backup-key.ts";
import { BackupError } from "../../../../src/domain/errors.ts";
import { decrypted, encryptedWith, patterned, storedFile } from "../../../fakes/encrypted.ts";
import { memorySpool } from "../../../fakes/memory-spool.ts";
import { tempDirectory } from "../../../lab/temp.ts";

const CHUNK = 64 * 1024;
const OVERHEAD = 200;

let key: AgeBackupKey;
beforeAll(async () => void (key = await AgeBackupKey.make()));

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Small ones, and some around the size of a chunk. */
const partSizes = fc.array(
  fc.oneof(fc.nat(300), fc.integer({ min: CHUNK - 3, max: CHUNK + 3 }), fc.nat(20 * CHUNK)),
  { maxLength: 8 },
);

test("appends of any length become one age file, told of as stored and as appended", async () => {
  await fc.assert(
    fc.asyncProperty(partSizes, async (sizes) => {
      await using spool = key.encrypting(memorySpool());
      const file = await spool.create("data-00001.tar.zst");
      const whole = patterned(sizes.reduce((sum, size) => sum + size, 0));
      let at = 0;
      const ranges = await Promise.all(
        sizes.map(async (size) => {
          // Memory is used again once it is written.
          const part = Uint8Array.from(whole.subarray(at, (at += size)));
          const range = await file.append(part);
          part.fill(0xff);
          return range;
        }),
      );
      expect(file.bytes).toBe(whole.length);
      let offset = 0;
      for (const [i, range] of ranges.entries()) {
        expect(range).toEqual({ offset, length: sizes[i] });
        offset += range.length;
      }
      const finished = await file.finish();
      const stored = await buffer(finished.body.open());
      expect(finished).toMatchObject({
        name: "data-00001.tar.zst.age",
        bytes: stored.length,
        sha256: sha256(stored),
        plain: { bytes: whole.length, sha256: sha256(whole) },
      });
      expect(key.plainBytes(stored.length)).toBe(whole.length);
      expect((await decrypted(key, storedFile(stored).file)).equals(whole)).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test("every file has a key of its own", async () => {
  const [one, other] = [await encryptedWith(key, patterned(100)), await encryptedWith(key, patterned(100))];
  expect(one.stored.length).toBe(100 + OVERHEAD);
  expect(one.stored.subarray(-116).equals(other.stored.subarray(-116))).toBe(false);
  expect(one.plain).toEqual(other.plain);
});

test("nothing readable reaches the disk, and what lies there is private and released", async () => {
  await using directory = await tempDirectory();
  await using spool = key.encrypting(localSpool(directory.join("spool")));
  const file = await spool.create("index.tar.zst");
  const plain = Buffer.from("a message of an order\n".repeat(10_000));
  await file.append(plain);
  const finished = await file.finish();
  const stored = await buffer(finished.body.open());
  expect(stored.includes("order")).toBe(false);
  expect((await decrypted(key, storedFile(stored).file)).equals(plain)).toBe(true);
  await finished.release();
  await expect(buffer(finished.body.open())).rejects.toThrow("ENOENT");
});

describe("plain bytes of a stored size", () => {
  test.each([
    [199, null],
    [200, 0],
    [201, 1],
    [OVERHEAD + CHUNK, CHUNK],
    [OVERHEAD + CHUNK + 1, null],
    [OVERHEAD + CHUNK + 16, null],
    [OVERHEAD + CHUNK + 17, CHUNK + 1],
    [OVERHEAD + 2 * CHUNK + 16, 2 * CHUNK],
    [OVERHEAD + 2 * CHUNK + 33, 2 * CHUNK + 1],
  ])("%i: %s", (stored, plain) => {
    expect(key.plainBytes(stored)).toBe(plain);
  });
});

test("a disk that fills is told of, and nothing more is written", async () => {
  const full = new BackupError("TARGET_FULL", "the disk is full");
  let room = 3;
  const inner = memorySpool();
  await using spool = key.encrypting({
    disk: async () => inner.disk(),
    create: async (name) => {
      const file = await inner.create(name);
      return {
        ...file,
        append: async (part) => {
          room -= 1;
          if (room < 0) throw full;
          return file.append(part);
        },
      };
    },
    [Symbol.asyncDispose]: async () => undefined,
  });
  const file = await spool.create("data");
  await expect(file.append(patterned(100 * CHUNK))).rejects.toBe(full);
  const spent = room;
  await expect(file.append(patterned(100 * CHUNK))).rejects.toBe(full);
  await expect(file.finish()).rejects.toBe(full);
  expect(room).toBe(spent);
});
