import fc from "fast-check";
import { Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { beforeAll, describe, expect, test } from "vitest";
import { AgeBackupKey } from "../../../../src/adapters/encryption/backup-key.ts";
import { BackupError } from "../../../../src/domain/errors.ts";
import { decrypted, encryptedWith, patterned, storedFile } from "../../../fakes/encrypted.ts";

const CHUNK = 64 * 1024;
const SEALED = CHUNK + 16;
const PREAMBLE = 184;

let key: AgeBackupKey;
let other: AgeBackupKey;
const plain = patterned(3 * CHUNK + 1000);
let stored: Buffer;

beforeAll(async () => {
  [key, other] = await Promise.all([AgeBackupKey.make(), AgeBackupKey.make()]);
  ({ stored } = await encryptedWith(key, plain));
});

/** As another age program encrypts for several. */
async function encryptedForMany(bytes: Uint8Array, recipients: number): Promise<Buffer> {
  const encrypter = new Encrypter();
  const own = /AGE-SECRET-KEY-1\w+/.exec(key.identityFile())?.[0] ?? "";
  for (let n = 0; n < recipients; n += 1) {
    encrypter.addRecipient(await identityToRecipient(await generateX25519Identity()));
  }
  encrypter.addRecipient(await identityToRecipient(own));
  return Buffer.from(await encrypter.encrypt(bytes));
}

describe.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK, 3 * CHUNK + 1])(
  "%i bytes",
  (length) => {
    test("come back, whole and in one range", async () => {
      const { stored: some } = await encryptedWith(key, plain.subarray(0, length));
      const { file, reads } = storedFile(some);
      expect((await decrypted(key, file)).equals(plain.subarray(0, length))).toBe(true);
      expect(reads).toEqual([null]);
      expect((await decrypted(key, file, { offset: 0, length })).equals(plain.subarray(0, length))).toBe(
        true,
      );
    });

    test("may be followed by nothing, and be no shorter", async () => {
      const { stored: some } = await encryptedWith(key, plain.subarray(0, length));
      for (const wrong of [Buffer.concat([some, Buffer.alloc(1)]), some.subarray(0, -1)]) {
        await expect(decrypted(key, storedFile(wrong).file)).rejects.toMatchObject({
          code: "ARCHIVE_DAMAGED",
        });
        // The size told is right, what is there is not.
        const lying = { ...storedFile(wrong).file, bytes: some.length };
        await expect(decrypted(key, lying)).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" });
      }
    });
  },
);

test("any range is that of the whole, read in pieces of any size", async () => {
  const ranges = fc
    .tuple(fc.nat(plain.length), fc.nat(plain.length))
    .map(([a, b]) => ({ offset: Math.min(a, b), length: Math.abs(a - b) }));
  await fc.assert(
    fc.asyncProperty(ranges, fc.integer({ min: 500, max: 200_000 }), async (range, pieceBytes) => {
      const { file } = storedFile(stored, pieceBytes);
      const bytes = await decrypted(key, file, range);
      expect(bytes.equals(plain.subarray(range.offset, range.offset + range.length))).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test("no more is read than the chunks of the range, and the header once", async () => {
  const { file, reads } = storedFile(stored, 50_000, "backups/x/data-00002.tar.zst.age");
  await decrypted(key, file, { offset: CHUNK + 5, length: 10 });
  await decrypted(key, file, { offset: 2 * CHUNK - 1, length: 2 });
  await decrypted(key, file, { offset: 3 * CHUNK, length: 1000 });
  expect(reads).toEqual([
    { offset: 0, length: PREAMBLE },
    { offset: PREAMBLE + SEALED, length: SEALED },
    { offset: PREAMBLE + SEALED, length: 2 * SEALED },
    { offset: PREAMBLE + 3 * SEALED, length: 1016 },
  ]);
});

test("a file that was encrypted again, for many, is read just so", async () => {
  const many = await encryptedForMany(plain, 40);
  const { file, reads } = storedFile(many, 1000);
  const range = { offset: CHUNK - 1, length: 2 };
  expect((await decrypted(key, file, range)).equals(plain.subarray(CHUNK - 1, CHUNK + 1))).toBe(true);
  expect(reads).toHaveLength(3 + 1);
  expect((await decrypted(key, storedFile(many, 1000).file)).equals(plain)).toBe(true);
});

test("a range that reaches past the end is damage", async () => {
  const { file } = storedFile(stored);
  const range = { offset: plain.length - 1, length: 2 };
  await expect(decrypted(key, file, range)).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" });
});

describe("damage is found and named", () => {
  const flipped = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 0x04;
    return copy;
  };
  const chunkAt = (number: number): number => PREAMBLE + number * SEALED;
  const without = (bytes: Buffer, from: number, to: number): Buffer =>
    Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);

  const headerText = "age-encryption.org/v1\n-> X25519 ".length;
  test.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    ["version", (bytes) => flipped(bytes, 3), /is no age file/],
    ["stanza's type", (bytes) => flipped(bytes, headerText - 3), /not encrypted with the key of its backup/],
    ["ephemeral share", (bytes) => flipped(bytes, headerText + 9), /header|key of its backup/],
    ["wrapped file key", (bytes) => flipped(bytes, headerText + 50), /header|key of its backup/],
    ["end of the header", (bytes) => flipped(bytes, PREAMBLE - 16 - 48), /header/],
    ["MAC of the header", (bytes) => flipped(bytes, PREAMBLE - 16 - 20), /header is damaged/],
    ["line break behind it", (bytes) => flipped(bytes, PREAMBLE - 16 - 1), /header/],
    ["nonce", (bytes) => flipped(bytes, PREAMBLE - 1), /begins at its byte 184/],
    ["first byte of a chunk", (bytes) => flipped(bytes, chunkAt(0)), /byte 184 was changed/],
    ["tag of a chunk", (bytes) => flipped(bytes, chunkAt(1) - 1), /byte 184 was changed/],
    ["a middle chunk", (bytes) => flipped(bytes, chunkAt(1) + 77), /byte 65736 was changed/],
    ["the last byte", (bytes) => flipped(bytes, bytes.length - 1), /byte 196840 was changed/],
    ["an end cut off between chunks", (bytes) => bytes.subarray(0, chunkAt(3)), /byte 131288 was changed/],
    ["an end cut off", (bytes) => bytes.subarray(0, chunkAt(2) + 500), /byte 131288 was changed/],
    ["an end cut off to less than a tag", (bytes) => bytes.subarray(0, chunkAt(3) + 16), /no payload is/],
    ["all cut off but the header", (bytes) => bytes.subarray(0, PREAMBLE), /no payload is 0 bytes/],
    ["the header cut off", (bytes) => bytes.subarray(0, PREAMBLE - 17), /ends before its header does/],
    ["everything cut off", (bytes) => bytes.subarray(0, 0), /ends before its header does/],
    ["a missing chunk", (bytes) => without(bytes, chunkAt(1), chunkAt(2)), /byte 65736 was changed/],
    [
      "two chunks exchanged",
      (bytes) =>
        Buffer.concat([
          bytes.subarray(0, chunkAt(1)),
          bytes.subarray(chunkAt(2), chunkAt(3)),
          bytes.subarray(chunkAt(1), chunkAt(2)),
          bytes.subarray(chunkAt(3)),
        ]),
      /byte 65736 was changed/,
    ],
    [
      "a chunk twice",
      (bytes) => Buffer.concat([bytes.subarray(0, chunkAt(2)), bytes.subarray(chunkAt(1))]),
      /byte 131288 was changed/,
    ],
    ["something behind the end", (bytes) => Buffer.concat([bytes, Buffer.of(1)]), /byte 196840 was changed/],
    ["a file of text", () => Buffer.from("# hello\n".repeat(100)), /is no age file/],
  ])("%s", async (_what, spoil, message) => {
    const { file } = storedFile(spoil(stored));
    const expected = { code: "ARCHIVE_DAMAGED", message: expect.stringMatching(message) };
    const given: Uint8Array[] = [];
    const reading = (async () => {
      for await (const bytes of key.decrypt(file)) given.push(Uint8Array.from(bytes));
    })();
    await expect(reading).rejects.toMatchObject(expected);
    await expect(reading).rejects.toThrow(file.name);
    // What was given until then is right.
    const right = Buffer.concat(given);
    expect(plain.subarray(0, right.length).equals(right)).toBe(true);
  });

  test("each byte of the header and of a chunk's ends", async () => {
    const { stored: small } = await encryptedWith(key, plain.subarray(0, 5));
    for (let at = 0; at < small.length; at += 1) {
      const { file } = storedFile(flipped(small, at));
      await expect(decrypted(key, file), `byte ${at}`).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" });
    }
  });

  test("a file of another backup", async () => {
    const { stored: foreign } = await encryptedWith(other, plain);
    const { file } = storedFile(foreign);
    for (const range of [undefined, { offset: 0, length: 1 }]) {
      await expect(decrypted(key, file, range)).rejects.toMatchObject({
        code: "ARCHIVE_DAMAGED",
        message: `${file.name} cannot be decrypted: it is not encrypted with the key of its backup`,
      });
    }
  });

  test("in a range: cut off at a chunk's end, when it was longer before", async () => {
    const cut = storedFile(stored.subarray(0, chunkAt(3))).file;
    await expect(decrypted(key, cut, { offset: 0, length: 5 })).resolves.toHaveLength(5);
    await expect(decrypted(key, cut, { offset: 2 * CHUNK, length: 5 })).rejects.toMatchObject({
      code: "ARCHIVE_DAMAGED",
    });
  });

  test("after damage, another copy of the same name is read from its header on", async () => {
    const again = (await encryptedWith(key, plain)).stored;
    const [one, two] = [storedFile(flipped(stored, chunkAt(1))), storedFile(again)];
    const range = { offset: CHUNK, length: 9 };
    await expect(decrypted(key, one.file, range)).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" });
    expect((await decrypted(key, two.file, range)).equals(plain.subarray(CHUNK, CHUNK + 9))).toBe(true);
  });
});

test("a header without an end is not read on for ever", async () => {
  const endless = Buffer.alloc(8 * 1024 * 1024, "a");
  endless.write("age-encryption.org/v1\n-> X25519 ");
  const { file, reads } = storedFile(endless);
  const damage = { code: "ARCHIVE_DAMAGED", message: expect.stringContaining("its header has no end") };
  await expect(decrypted(key, file)).rejects.toMatchObject(damage);
  await expect(decrypted(key, file, { offset: 0, length: 1 })).rejects.toMatchObject(damage);
  const most = Math.max(...reads.map((range) => range?.length ?? 0));
  expect(most).toBe(1024 * 1024);
});

test("what reading fails with is not taken for damage", async () => {
  const lost = new BackupError("TARGET_FAILED", "the connection was lost");
  const { file } = storedFile(stored);
  const failing = {
    ...file,
    async *read() {
      yield stored.subarray(0, 1000);
      throw lost;
    },
  };
  await expect(decrypted(key, failing)).rejects.toBe(lost);
  await expect(decrypted(key, failing, { offset: 0, length: 9 })).rejects.toBe(lost);
});
