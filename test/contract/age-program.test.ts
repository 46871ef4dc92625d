import { readFile, writeFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { localSpool } from "../../src/adapters/archive/local-spool.ts";
import { AgeBackupKey } from "../../src/adapters/encryption/backup-key.ts";
import { ageKeyMaker } from "../../src/adapters/encryption/key-maker.ts";
import { ageKeyring } from "../../src/adapters/encryption/keyring.ts";
import { decrypted, patterned, storedFile } from "../fakes/encrypted.ts";
import { age, ageAtTerminal, ageKeygen, ageRecipient, HAS_AGE, HAS_SCRIPT } from "../lab/age-program.ts";
import { tempDirectory, type TempDirectory } from "../lab/temp.ts";

const CHUNK = 64 * 1024;
const SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK];
const PASSPHRASE = "five horses on a roof";

describe.skipIf(!HAS_AGE)("with the reference program age (bin/setup --lab installs it)", () => {
  let temp: TempDirectory;
  /** Of the operators: identity file and recipient. */
  const operators: { readonly file: string; readonly recipient: string }[] = [];
  let key: AgeBackupKey;

  beforeAll(async () => {
    temp = await tempDirectory();
    for (const name of ["one", "two", "three"]) {
      const file = temp.join(`${name}.txt`);
      operators.push({ file, recipient: await ageKeygen(file) });
    }
    key = await AgeBackupKey.make();
    await writeFile(temp.join("backup.key"), key.identityFile());
  });
  afterAll(async () => temp[Symbol.asyncDispose]());

  async function opened(name: string, identityFile: string): Promise<Buffer> {
    return age("-d", "-i", identityFile, temp.join(name));
  }

  test.each(SIZES)("%i bytes that mqbackup encrypts, age opens", async (length) => {
    await using spool = key.encrypting(localSpool(temp.join("spool")));
    const file = await spool.create("data-00001.tar.zst");
    const plain = patterned(length);
    for (let at = 0; at < length; at += 40_000) await file.append(plain.subarray(at, at + 40_000));
    const finished = await file.finish();
    await writeFile(temp.join(finished.name), await buffer(finished.body.open()));
    expect((await opened(finished.name, temp.join("backup.key"))).equals(plain)).toBe(true);
  });

  test.each(SIZES)("%i bytes that age encrypts, mqbackup reads, in ranges too", async (length) => {
    const plain = patterned(length);
    await writeFile(temp.join("plain"), plain);
    const stored = await age("-r", await ageRecipient(temp.join("backup.key")), temp.join("plain"));
    expect(key.plainBytes(stored.length)).toBe(length);
    const { file } = storedFile(stored, 10_000, `theirs of ${length}`);
    for (let offset = 0; offset < length; offset += 30_000) {
      const range = { offset, length: Math.min(CHUNK + 5, length - offset) };
      const right = plain.subarray(offset, offset + range.length);
      expect((await decrypted(key, file, range)).equals(right)).toBe(true);
    }
    expect((await decrypted(key, file)).equals(plain)).toBe(true);
  });

  test("the key of a backup is opened by age for each of its recipients, and nobody else", async () => {
    const [one, two] = operators.map(({ recipient }) => recipient);
    const { keyFile } = await ageKeyMaker({ recipients: [one ?? "", two ?? ""] }).create();
    await writeFile(temp.join("key.age"), keyFile);
    const texts = await Promise.all(operators.slice(0, 2).map(({ file }) => opened("key.age", file)));
    expect(texts[0]?.toString()).toMatch(/^# mqbackup backup key\nAGE-SECRET-KEY-1\w+\n$/);
    expect(texts[1]).toEqual(texts[0]);
    await expect(opened("key.age", operators[2]?.file ?? "")).rejects.toThrow("no identity matched");
  });

  test("a key file that age has encrypted for others is opened", async () => {
    const [, two, three] = operators;
    const recipients = [two, three].flatMap((operator) => ["-r", operator?.recipient ?? ""]);
    const again = await age(...recipients, temp.join("backup.key"));
    const identity = /AGE-SECRET-KEY-1\w+/.exec(await readFile(three?.file ?? "", "utf8"))?.[0] ?? "";
    const keyring = ageKeyring({ identities: [identity], passphrase: null });
    const found = await keyring.open(again, "again.age");
    expect(found.secret).toEqual(key.secret);
  });

  test.skipIf(!HAS_SCRIPT)("a key for a passphrase is opened by age, which asks for it", async () => {
    const keyFile = await ageKeyMaker({ passphrase: PASSPHRASE, workFactor: 10 }).wrap(key);
    await writeFile(temp.join("by-passphrase.age"), keyFile);
    const out = temp.join("by-passphrase");
    await ageAtTerminal(PASSPHRASE, "-d", "-o", out, temp.join("by-passphrase.age"));
    expect(await readFile(out, "utf8")).toBe(key.identityFile());
  });
});
