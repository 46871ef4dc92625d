import { writeFile } from "node:fs/promises";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Output } from "../../../src/cli/output.ts";
import type { Session } from "../../../src/cli/session.ts";
import type { CommandName } from "../../../src/cli/setting-entry.ts";
import { resolveSettings } from "../../../src/cli/settings.ts";
import { wireKeyMaker, wireKeyring } from "../../../src/cli/wiring/encryption.ts";
import { wireRekey } from "../../../src/cli/wiring/rekey.ts";
import { tempDirectory, type TempDirectory } from "../../lab/temp.ts";

const [one, two] = await Promise.all([generateX25519Identity(), generateX25519Identity()]);
const [oneRecipient, twoRecipient] = await Promise.all([one, two].map(identityToRecipient));
/** Another last letter. */
const mistyped = (text: string): string =>
  text.slice(0, -1) +
  (text === text.toUpperCase() ? (text.endsWith("Q") ? "P" : "Q") : text.endsWith("q") ? "p" : "q");

const FILES = {
  "one.txt": `# created: today\n# public key: ${oneRecipient}\n${one}\n`,
  "both.txt": `${one}\r\n\n  # the other\n${two}`,
  "recipients.txt": `# operators\n${oneRecipient}\n\n${twoRecipient} \n`,
  "nothing.txt": "# nobody\n\n",
  "ssh.pub": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ operator@example\n",
  "ssh.key": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE\n",
  "plugin.txt": "AGE-PLUGIN-YUBIKEY-1QQPQYQQ\n",
  "plugin-recipient.txt": "age1yubikey1qg8n0\n",
  "mistyped.txt": `# a comment\n${mistyped(one)}\n`,
  "mistyped-recipient.txt": `${oneRecipient}\n${mistyped(twoRecipient ?? "")}\n`,
  "encrypted.age": "age-encryption.org/v1\n-> scrypt 1 18\n",
  "armored.age": "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n",
  passphrase: "five horses on a roof\n",
  "empty-passphrase": "\n",
};

let directory: TempDirectory;
beforeAll(async () => {
  directory = await tempDirectory();
  for (const [name, text] of Object.entries(FILES)) await writeFile(directory.join(name), text);
});
afterAll(async () => directory[Symbol.asyncDispose]());

interface Given {
  readonly command?: CommandName;
  readonly env?: Readonly<Record<string, string>>;
  /** Values that end with a name of FILES are paths. */
  readonly flags?: Readonly<Record<string, string | readonly string[]>>;
}

async function sessionOf({ command = "incremental", env = {}, flags = {} }: Given) {
  const secrets: string[] = [];
  const keepSecret = (text: string): void => void secrets.push(text);
  const inside = (text: string): string => (text in FILES ? directory.join(text) : text);
  const placed = Object.entries(flags).map(([key, value]) => [
    key,
    typeof value === "string" ? inside(value) : value.map(inside),
  ]);
  const { settings, raw } = await resolveSettings(
    {
      command,
      cwd: directory.path,
      env: { MQBACKUP_TARGET: directory.path, MQBACKUP_ID: "latest", ...env },
      flags: Object.fromEntries(placed),
    },
    keepSecret,
  );
  const session: Session = {
    settings,
    raw,
    keepSecret,
    argument: null,
    otherArgument: null,
    manyArguments: [],
    output: {} as Output,
    signal: new AbortController().signal,
    tool: { name: "mqbackup", version: "0" },
    env,
    measured: () => undefined,
  };
  return { session, secrets };
}

async function makerAndKeyring(given: Given) {
  const { session } = await sessionOf(given);
  return { maker: await wireKeyMaker(session), keyring: await wireKeyring(session) };
}

async function failure(given: Given): Promise<{ message: string; hint: string; text: string }> {
  const error: unknown = await makerAndKeyring(given).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "SETTING_INVALID" });
  const { message, hint } = error as { message: string; hint: string };
  return { message: message.replaceAll(`${directory.path}/`, ""), hint, text: `${message} ${hint}` };
}

test("without any of it backups are not encrypted, and none that is can be opened", async () => {
  const { maker, keyring } = await makerAndKeyring({});
  expect(maker).toBeNull();
  expect(keyring.empty).toBe(true);
  const { ageKeyMaker } = await import("../../../src/adapters/encryption/key-maker.ts");
  const { keyFile } = await ageKeyMaker({ recipients: [oneRecipient ?? ""] }).create();
  await expect(keyring.open(keyFile, "key.age")).rejects.toMatchObject({ code: "KEY_WRONG" });
});

describe("a key made for those named is opened by", () => {
  test.each<[string, Given, readonly string[]]>([
    ["the one recipient", { flags: { recipient: [oneRecipient ?? ""] } }, ["one.txt"]],
    ["each of a file", { flags: { recipientsFile: ["recipients.txt"] } }, ["one.txt", "both.txt"]],
    [
      "each of the environment",
      { env: { MQBACKUP_RECIPIENT: `${oneRecipient},${twoRecipient}` } },
      ["one.txt", "both.txt"],
    ],
  ])("%s", async (_what, given, files) => {
    const { maker } = await makerAndKeyring(given);
    const made = await maker?.create();
    for (const file of files) {
      const { keyring } = await makerAndKeyring({ flags: { identityFile: [file] } });
      expect(keyring.empty).toBe(false);
      const opened = await keyring.open(made?.keyFile ?? new Uint8Array(0), "key.age");
      expect(opened.secret).toEqual(made?.key.secret);
    }
  });

  test("the passphrase of a file, without its line break", async () => {
    const { maker } = await makerAndKeyring({ flags: { passphraseFile: "passphrase" } });
    const made = await maker?.create();
    const { keyring } = await makerAndKeyring({ env: { MQBACKUP_PASSPHRASE: "five horses on a roof" } });
    const opened = await keyring.open(made?.keyFile ?? new Uint8Array(0), "key.age");
    expect(opened.secret).toEqual(made?.key.secret);
  });
});

test("identities and passphrases are kept secret from the moment they are read", async () => {
  const { session, secrets } = await sessionOf({
    flags: { identityFile: ["both.txt"], passphraseFile: "passphrase" },
  });
  await wireKeyring(session);
  expect(secrets).toEqual(expect.arrayContaining([one, two, "five horses on a roof"]));
  const mistake = await sessionOf({ flags: { identityFile: ["mistyped.txt"] } });
  await expect(wireKeyring(mistake.session)).rejects.toThrow("line 2 of identity file");
  expect(mistake.secrets).toContain(mistyped(one));
  expect((await sessionOf({ env: { MQBACKUP_PASSPHRASE: "five horses" } })).secrets).toContain("five horses");
});

describe("refused, with the place and without the secret:", () => {
  const ONLY = "only those of age-keygen are supported (X25519)";
  test.each<[string, Given, string]>([
    [
      "a recipient that is none",
      { flags: { recipient: ["age1nobody"] } },
      `--recipient: "age1nobody" is no age recipient: age1 and 58 small letters and digits`,
    ],
    [
      "an identity for a recipient",
      { flags: { recipient: [one] } },
      "--recipient: is an identity, which is secret, and not the recipient that belongs to it",
    ],
    [
      "an SSH recipient",
      { flags: { recipientsFile: ["ssh.pub"] } },
      `line 1 of recipients file ssh.pub is an SSH key: ${ONLY}`,
    ],
    [
      "a plugin's recipient",
      { flags: { recipientsFile: ["plugin-recipient.txt"] } },
      `line 1 of recipients file plugin-recipient.txt is of an age plugin, or another kind of key: ${ONLY}`,
    ],
    [
      "an identity among recipients",
      { flags: { recipientsFile: ["one.txt"] } },
      "line 3 of recipients file one.txt is an identity, which is secret, and not the recipient that belongs to it",
    ],
    [
      "a mistyped recipient",
      { flags: { recipientsFile: ["mistyped-recipient.txt"] } },
      "line 2 of recipients file mistyped-recipient.txt is mistyped: its checksum is wrong",
    ],
    [
      "no recipients",
      { flags: { recipientsFile: ["nothing.txt"] } },
      "recipients file nothing.txt holds no recipient",
    ],
    [
      "a missing file",
      { flags: { recipientsFile: ["/none"] } },
      "--recipients-file: /none cannot be read (ENOENT)",
    ],
    [
      "no identities",
      { flags: { identityFile: ["nothing.txt"] } },
      "identity file nothing.txt holds no identity",
    ],
    [
      "a mistyped identity",
      { flags: { identityFile: ["mistyped.txt"] } },
      "line 2 of identity file mistyped.txt is mistyped: its checksum is wrong",
    ],
    [
      "recipients for identities",
      { flags: { identityFile: ["recipients.txt"] } },
      "line 2 of identity file recipients.txt is a recipient, which opens nothing, and not its identity",
    ],
    [
      "an SSH identity",
      { flags: { identityFile: ["ssh.key"] } },
      `line 1 of identity file ssh.key is an SSH key: ${ONLY}`,
    ],
    [
      "a plugin's identity",
      { flags: { identityFile: ["plugin.txt"] } },
      `line 1 of identity file plugin.txt is of an age plugin, or another kind of key: ${ONLY}`,
    ],
    [
      "an encrypted identity file",
      { flags: { identityFile: ["encrypted.age"] } },
      "identity file encrypted.age is itself encrypted, which is not supported",
    ],
    [
      "an armored one",
      { flags: { identityFile: ["armored.age"] } },
      "identity file armored.age is itself encrypted, which is not supported",
    ],
    [
      "an empty passphrase file",
      { flags: { passphraseFile: "empty-passphrase" } },
      "passphrase file empty-passphrase is empty",
    ],
    ["an empty passphrase", { env: { MQBACKUP_PASSPHRASE: "" } }, "MQBACKUP_PASSPHRASE is empty"],
    ["an empty list of recipients", { env: { MQBACKUP_RECIPIENT: " , " } }, "MQBACKUP_RECIPIENT is empty"],
    [
      "two passphrases",
      { env: { MQBACKUP_PASSPHRASE: "x" }, flags: { passphraseFile: "passphrase" } },
      "the passphrase is given twice, by MQBACKUP_PASSPHRASE and by --passphrase-file",
    ],
    [
      "recipients and a passphrase",
      { env: { MQBACKUP_PASSPHRASE: "x" }, flags: { recipient: [oneRecipient ?? ""] } },
      "--recipient and MQBACKUP_PASSPHRASE contradict each other",
    ],
    [
      "a rekey for nobody",
      { command: "rekey", env: { MQBACKUP_PASSPHRASE: "x" } },
      "who may read the backups from now on is not said",
    ],
    [
      "a rekey for recipients and a passphrase",
      { command: "rekey", env: { MQBACKUP_NEW_PASSPHRASE: "x" }, flags: { recipient: [oneRecipient ?? ""] } },
      "--recipient and MQBACKUP_NEW_PASSPHRASE contradict each other",
    ],
    [
      "two new passphrases",
      { command: "rekey", env: { MQBACKUP_NEW_PASSPHRASE: "x" }, flags: { newPassphraseFile: "passphrase" } },
      "the new passphrase is given twice, by MQBACKUP_NEW_PASSPHRASE and by --new-passphrase-file",
    ],
  ])("%s", async (_what, given, message) => {
    const failed = await failure(given);
    expect(failed.message).toBe(message);
    expect(failed.text).not.toMatch(/AGE-SECRET-KEY-1[A-Z0-9]{10}/);
  });
});

test("a rekey opens with the passphrase of before, and with the new one what a broken-off run has left", async () => {
  const env = { MQBACKUP_PASSPHRASE: "five horses" };
  const flags = { newPassphraseFile: "passphrase" };
  const { session, secrets } = await sessionOf({ command: "rekey", env, flags });
  const { keys, keyring } = await wireRekey(session, () => undefined);
  expect(secrets).toEqual(expect.arrayContaining(["five horses", "five horses on a roof"]));
  const { key, keyFile } = await keys.create();
  expect((await keyring.open(keyFile, "key.age")).secret).toEqual(key.secret);
  const { ageKeyMaker } = await import("../../../src/adapters/encryption/key-maker.ts");
  const old = await ageKeyMaker({ passphrase: "five horses", workFactor: 8 }).create();
  expect((await keyring.open(old.keyFile, "key.age")).secret).toEqual(old.key.secret);
  const other = await ageKeyMaker({ passphrase: "none of them", workFactor: 8 }).create();
  await expect(keyring.open(other.keyFile, "key.age")).rejects.toMatchObject({ code: "KEY_WRONG" });
});

test("who only reads may have a passphrase beside recipients for backups to come", async () => {
  const env = { MQBACKUP_RECIPIENT: oneRecipient ?? "", MQBACKUP_PASSPHRASE: "x" };
  const { session } = await sessionOf({ command: "restore", env });
  expect((await wireKeyring(session)).empty).toBe(false);
});

test("an empty list in the configuration file is a mistake", async () => {
  for (const text of ["recipient:\n", "recipient: []\n", "passphraseFile:\n"]) {
    await writeFile(directory.join("mistake.yaml"), text);
    const { message } = await failure({ flags: { config: directory.join("mistake.yaml") } });
    expect(message).toBe(`${text.split(":")[0]} in mistake.yaml is empty`);
  }
});
