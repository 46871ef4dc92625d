import { BackupError } from "../domain/errors.ts";
import { identityFault, isSecretKey, recipientFault } from "./key-texts.ts";
import type { RawSettings } from "./raw-settings.ts";
import type { Session } from "./session.ts";
import { readNamedFile, readSecretFile } from "./setting-files.ts";
import type { Settings } from "./settings-schema.ts";

/** Whether a text that looks right is right to its last letter. */
type IsKey = (text: string) => boolean | Promise<boolean>;

type Keeping = Pick<Session, "settings" | "keepSecret">;

interface KeyFiles {
  readonly what: string;
  readonly flag: string;
  readonly each: string;
  readonly hint: string;
  /** See `key-texts.ts`. */
  readonly fault: (text: string) => string | null;
}

const RECIPIENTS: KeyFiles = {
  what: "recipients file",
  flag: "--recipients-file",
  each: "recipient",
  hint: "age-keygen -y shows the recipient of an identity file.",
  fault: recipientFault,
};

const IDENTITIES: KeyFiles = {
  what: "identity file",
  flag: "--identity-file",
  each: "identity",
  hint: "Give a file as age-keygen makes it.",
  fault: identityFault,
};

interface KeyLine {
  readonly text: string;
  /** "line 3 of recipients file /etc/..." */
  readonly where: string;
}

/** Of flags and files, each once. Throws SETTING_INVALID. */
export async function readRecipients(
  settings: Pick<Settings, "recipient" | "recipientsFile">,
  raw: RawSettings,
  isRecipient: IsKey,
): Promise<readonly string[]> {
  const where = raw.get("recipient")?.origin ?? "recipient";
  const given = settings.recipient.map((text) => ({ text, where: `${where} ${text}` }));
  return checked(
    [...given, ...(await linesOf(settings.recipientsFile, RECIPIENTS))],
    RECIPIENTS,
    isRecipient,
  );
}

/** Of the files. They are kept secret before anything can be wrong with them. Throws SETTING_INVALID, which shows none of them. */
export async function readIdentities(session: Keeping, isIdentity: IsKey): Promise<readonly string[]> {
  const found = await linesOf(session.settings.identityFile, IDENTITIES);
  for (const { text } of found) if (isSecretKey(text)) session.keepSecret(text);
  return checked(found, IDENTITIES, isIdentity);
}

/** null: none is given. Throws SETTING_INVALID. */
export async function readPassphrase(session: Keeping): Promise<string | null> {
  const { passphrase, passphraseFile } = session.settings;
  return passphraseFile === null
    ? passphrase
    : readPassphraseFile(session, passphraseFile, "--passphrase-file");
}

/** Of `rekey`: the one that opens backups from now on. */
export async function readNewPassphrase(session: Keeping): Promise<string | null> {
  const { newPassphrase, newPassphraseFile } = session.settings;
  return newPassphraseFile === null
    ? newPassphrase
    : readPassphraseFile(session, newPassphraseFile, "--new-passphrase-file");
}

async function readPassphraseFile(session: Keeping, file: string, flag: string): Promise<string> {
  const text = await readSecretFile(file, flag, "passphrase");
  session.keepSecret(text);
  return text;
}

async function linesOf(files: readonly string[], kind: KeyFiles): Promise<readonly KeyLine[]> {
  const read = files.map(async (file) => {
    const text = (await readNamedFile(file, kind.flag)).toString("utf8");
    return linesOfText(text, `${kind.what} ${file}`, kind);
  });
  return (await Promise.all(read)).flat();
}

function linesOfText(text: string, where: string, { each }: KeyFiles): readonly KeyLine[] {
  if (/^(age-encryption\.org\/|-----BEGIN AGE ENCRYPTED FILE-----)/.test(text)) {
    throw new BackupError("SETTING_INVALID", `${where} is itself encrypted, which is not supported`, {
      hint: "Decrypt it with age -d into a file that only you can read, or a named pipe, and give that.",
    });
  }
  const found = text
    .split("\n")
    .map((line, at) => ({ text: line.trim(), where: `line ${at + 1} of ${where}` }))
    .filter((line) => line.text !== "" && !line.text.startsWith("#"));
  if (found.length > 0) return found;
  throw new BackupError("SETTING_INVALID", `${where} holds no ${each}`, {
    hint: `Write one ${each} a line; lines that begin with # are comments.`,
  });
}

async function checked(
  lines: readonly KeyLine[],
  { fault, hint }: KeyFiles,
  isKey: IsKey,
): Promise<readonly string[]> {
  for (const { text, where } of lines) {
    const wrong = fault(text) ?? ((await isKey(text)) ? null : "is mistyped: its checksum is wrong");
    if (wrong !== null) throw new BackupError("SETTING_INVALID", `${where} ${wrong}`, { hint });
  }
  return [...new Set(lines.map(({ text }) => text))];
}
