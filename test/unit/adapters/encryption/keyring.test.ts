import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { beforeAll, describe, expect, test } from "vitest";
import { AgeBackupKey } from "../../../../src/adapters/encryption/backup-key.ts";
import { ageKeyMaker } from "../../../../src/adapters/encryption/key-maker.ts";
import { ageKeyring } from "../../../../src/adapters/encryption/keyring.ts";
import { isX25519Identity, isX25519Recipient } from "../../../../src/adapters/encryption/key-texts.ts";
import type { BackupKey } from "../../../../src/ports/encryption.ts";
import { decrypted, encryptedWith, storedFile } from "../../../fakes/encrypted.ts";

const NAME = "backups/20261125-120000F/key.age";
const PASSPHRASE = "five horses on a roof";
const NONE = { identities: [], passphrase: null };

const identities: string[] = [];
const recipients: string[] = [];
let byPassphrase: { readonly key: BackupKey; readonly keyFile: Uint8Array };

beforeAll(async () => {
  for (let n = 0; n < 3; n += 1) identities.push(await generateX25519Identity());
  recipients.push(...(await Promise.all(identities.map(identityToRecipient))));
  byPassphrase = await ageKeyMaker({ passphrase: PASSPHRASE, workFactor: 10 }).create();
});

function maker(...texts: readonly string[]) {
  return ageKeyMaker({ recipients: texts });
}

async function readableWith(key: BackupKey, opened: BackupKey): Promise<boolean> {
  const { stored } = await encryptedWith(key, Buffer.from("x"));
  const read = await decrypted(opened, storedFile(stored).file);
  return read.toString() === "x" && Buffer.from(key.secret).equals(opened.secret);
}

test("each of the recipients opens the key, nobody else", async () => {
  const { key, keyFile } = await maker(...recipients.slice(0, 2)).create();
  for (const identity of identities.slice(0, 2)) {
    const opened = await ageKeyring({ identities: [identity], passphrase: null }).open(keyFile, NAME);
    expect(await readableWith(key, opened)).toBe(true);
  }
  const third = ageKeyring({ identities: identities.slice(2), passphrase: null });
  await expect(third.open(keyFile, NAME)).rejects.toMatchObject({
    code: "KEY_WRONG",
    message: `no identity that was given opens ${NAME}`,
  });
  await expect(ageKeyring(NONE).open(keyFile, NAME)).rejects.toMatchObject({
    code: "KEY_WRONG",
    message: `no identity is given that opens ${NAME}`,
  });
});

test("a key that nobody could open is not made", () => {
  expect(() => maker()).toThrow("no recipients");
});

test("every backup has another key", async () => {
  const one = await maker(recipients[0] ?? "").create();
  const other = await maker(recipients[0] ?? "").create();
  expect(one.key.secret).not.toEqual(other.key.secret);
  expect(one.key.secret).toHaveLength(32);
  await expect(readableWith(one.key, other.key)).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" });
});

test("the passphrase opens the key, among identities; another does not, nor none", async () => {
  const { key, keyFile } = byPassphrase;
  const opened = await ageKeyring({ identities, passphrase: PASSPHRASE }).open(keyFile, NAME);
  expect(await readableWith(key, opened)).toBe(true);
  await expect(ageKeyring({ identities, passphrase: "another" }).open(keyFile, NAME)).rejects.toMatchObject({
    code: "KEY_WRONG",
    message: `the passphrase is not the one that opens ${NAME}`,
  });
  await expect(ageKeyring({ identities, passphrase: null }).open(keyFile, NAME)).rejects.toMatchObject({
    code: "KEY_WRONG",
    message: `the passphrase is not given that opens ${NAME}`,
  });
});

test("a key is wrapped again for others and stays what it was", async () => {
  const { key, keyFile } = byPassphrase;
  const again = await maker(recipients[2] ?? "").wrap(key);
  const opened = await ageKeyring({ identities: identities.slice(2), passphrase: null }).open(again, NAME);
  expect(await readableWith(key, opened)).toBe(true);
  expect(Buffer.from(again).equals(keyFile)).toBe(false);
});

test("what the passphrase wraps, the age library opens too", async () => {
  const decrypter = new Decrypter();
  decrypter.addPassphrase(PASSPHRASE);
  expect(await decrypter.decrypt(byPassphrase.keyFile, "text")).toMatch(
    /^# mqbackup backup key\nAGE-SECRET-KEY-1[A-Z0-9]{58}\n$/,
  );
});

describe("a key file that is none", () => {
  const keyring = () => ageKeyring({ identities, passphrase: PASSPHRASE });
  async function wrapped(text: string): Promise<Uint8Array> {
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipients[0] ?? "");
    return encrypter.encrypt(text);
  }

  test.each([
    ["nothing", ""],
    ["text", "AGE-SECRET-KEY-1"],
    ["a header without an end", "age-encryption.org/v1\n-> X25519 aaaa"],
  ])("%s", async (_what, text) => {
    await expect(keyring().open(Buffer.from(text), NAME)).rejects.toMatchObject({
      code: "ARCHIVE_DAMAGED",
      message: `${NAME} is no age file, or damaged`,
    });
  });

  test("its bytes count, wherever", async () => {
    const { keyFile } = await maker(recipients[0] ?? "").create();
    const opened = ageKeyring({ identities, passphrase: null });
    for (let at = 0; at < keyFile.length; at += 7) {
      const spoilt = Uint8Array.from(keyFile);
      spoilt[at] = (spoilt[at] ?? 0) ^ 1;
      await expect(opened.open(spoilt, NAME), `byte ${at}`).rejects.toMatchObject({
        code: expect.stringMatching(/^(ARCHIVE_DAMAGED|KEY_WRONG)$/),
      });
    }
  });

  test.each([
    ["no key", "hello\n"],
    ["nothing", ""],
    ["two keys", "A\nA\n"],
    ["half a key", "H\n"],
  ])("it holds %s", async (_what, pattern) => {
    const identity = identities[1] ?? "";
    const text = pattern.replaceAll("A\n", `${identity}\n`).replace("H\n", `${identity.slice(0, 40)}\n`);
    const error: unknown = await keyring()
      .open(await wrapped(text), NAME)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "ARCHIVE_DAMAGED", message: `${NAME} holds no key of a backup` });
    expect(JSON.stringify(error) + String(error)).not.toContain("AGE-SECRET");
  });

  test("a work factor that would take all memory is refused", async () => {
    const text = Buffer.from(byPassphrase.keyFile).toString("latin1").replace(/ 10\n/, " 21\n");
    await expect(keyring().open(Buffer.from(text, "latin1"), NAME)).rejects.toMatchObject({
      code: "ARCHIVE_DAMAGED",
    });
  });
});

test("an aborted call rejects with the reason", async () => {
  const reason = new Error("enough");
  const options = { signal: AbortSignal.abort(reason) };
  await expect(maker(recipients[0] ?? "").create(options)).rejects.toBe(reason);
  await expect(ageKeyring(NONE).open(byPassphrase.keyFile, NAME, options)).rejects.toBe(reason);
});

describe("recipients and identities", () => {
  test.each([
    ["recipient", () => recipients[0] ?? "", true, false],
    ["identity", () => identities[0] ?? "", false, true],
    ["recipient with a typing error", () => (recipients[0] ?? "").replace(/.$/, swap), false, false],
    ["identity with a typing error", () => (identities[0] ?? "").replace(/.$/, swap), false, false],
    ["identity in small letters", () => (identities[0] ?? "").toLowerCase(), false, false],
    ["recipient in capitals", () => (recipients[0] ?? "").toUpperCase(), false, false],
    ["SSH key", () => "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA", false, false],
    ["recipient of a plugin", () => "age1yubikey1qg8n0", false, false],
    ["nothing", () => "", false, false],
  ])("%s", async (_what, text, isRecipient, isIdentity) => {
    expect(isX25519Recipient(text())).toBe(isRecipient);
    expect(await isX25519Identity(text())).toBe(isIdentity);
  });

  function swap(last: string): string {
    const other = last.toLowerCase() === "q" ? "p" : "q";
    return last === last.toUpperCase() && /[A-Z]/.test(last) ? other.toUpperCase() : other;
  }
});

test("a key does not show itself", async () => {
  const key = await AgeBackupKey.make();
  expect(JSON.stringify(key)).not.toContain("AGE-SECRET");
});
