import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { AgeBackupKey } from "../../../../src/adapters/encryption/backup-key.ts";
import { ageKeyring } from "../../../../src/adapters/encryption/keyring.ts";
import { decrypted, patterned, storedFile } from "../../../fakes/encrypted.ts";

const FIXTURES = path.resolve(import.meta.dirname, "../../../../fixtures/age");
const CHUNK = 64 * 1024;

async function fixture(name: string): Promise<Buffer> {
  return readFile(path.join(FIXTURES, name));
}

async function keyOf(name: string): Promise<AgeBackupKey> {
  const key = await AgeBackupKey.parse(await fixture(name).then(String));
  if (key === null) throw new Error(`${name} holds no identity`);
  return key;
}

test.each([0, 1, CHUNK, CHUNK + 1])("%i bytes that age encrypted", async (length) => {
  const key = await keyOf("identity.txt");
  const stored = await fixture(`${length}.age`);
  expect(key.plainBytes(stored.length)).toBe(length);
  const { file } = storedFile(stored);
  expect((await decrypted(key, file)).equals(patterned(length))).toBe(true);
  const end = { offset: Math.max(0, length - 2), length: Math.min(2, length) };
  const ending = patterned(length).subarray(end.offset);
  expect((await decrypted(key, storedFile(stored).file, end)).equals(ending)).toBe(true);
});

test("a file that age encrypted for two", async () => {
  for (const name of ["identity.txt", "other-identity.txt"]) {
    const { file } = storedFile(await fixture("two-recipients.age"));
    expect((await decrypted(await keyOf(name), file, { offset: 0, length: 1 })).equals(patterned(1))).toBe(
      true,
    );
  }
});

test.each([
  ["key.age", "AGE-SECRET-KEY-1", null],
  ["key-by-passphrase.age", null, "five horses on a roof"],
])("%s that age encrypted", async (name, begin, passphrase) => {
  const lines = (await fixture("other-identity.txt")).toString().split("\n");
  const identities = lines.filter((line) => begin !== null && line.startsWith(begin));
  const opened = await ageKeyring({ identities, passphrase }).open(await fixture(name), name);
  expect(opened.secret).toEqual((await keyOf("identity.txt")).secret);
  // Frozen: what seals a manifest is derived from it.
  expect(Buffer.from(opened.secret).toString("hex")).toBe(
    "2461b21a3676d32f68bed05d67383b6b29b46d8a907e057b098b4b564cbe97a4",
  );
});
