import { readFile } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import path from "node:path";
import process from "node:process";
import ssh2, { type AnyAuthMethod } from "ssh2";
import { BackupError } from "../../domain/errors.ts";
import type { SftpLocation } from "../../domain/sftp-location.ts";
import { errnoOf } from "./file-errors.ts";

/** Tried where the target names no key, in this order. */
const DEFAULT_KEYS = ["~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"];

export interface Login {
  readonly user: string;
  readonly methods: readonly AnyAuthMethod[];
  /** The methods in words. */
  readonly tried: readonly string[];
}

/** Reads keys and passwords. Throws SETTING_INVALID for a file the target names that cannot be used. */
export async function loginOf(location: SftpLocation): Promise<Login> {
  const { identityFile, passphraseFile, passwordFile } = location;
  const user = location.user ?? ownName(location);
  const passphrase = passphraseFile === null ? undefined : await secretIn(passphraseFile, "passphraseFile");
  const methods: AnyAuthMethod[] = [];
  const tried: string[] = [];
  const agent = process.env["SSH_AUTH_SOCK"] ?? "";
  if (identityFile === null && agent !== "") {
    methods.push({ type: "agent", username: user, agent });
    tried.push("the keys of the agent");
  }
  for (const file of identityFile === null ? DEFAULT_KEYS : [identityFile]) {
    const bytes = await fileOf(file, identityFile === null ? null : "identityFile");
    if (bytes === null) continue;
    // Of a file in OpenSSH's own format it is a list, of one.
    const [key] = [ssh2.utils.parseKey(bytes, passphrase)].flat();
    if (key !== undefined && !(key instanceof Error) && key.isPrivateKey()) {
      methods.push({ type: "publickey", username: user, key });
      tried.push(`the key ${file}`);
    } else if (identityFile !== null) throw unusable(identityFile, key, passphrase !== undefined);
    else tried.push(`not the key ${file}, which has a passphrase or is none`);
  }
  if (passwordFile !== null) {
    const password = await secretIn(passwordFile, "passwordFile");
    methods.push({ type: "password", username: user, password });
    methods.push({
      type: "keyboard-interactive",
      username: user,
      prompt: (_name, _instructions, _language, prompts, answer) =>
        answer(prompts.map(({ echo }) => (echo === true ? "" : password))),
    });
    tried.push("the password");
  }
  return { user, methods, tried };
}

/** In a container the process may be of a user without a name. */
function ownName({ text }: SftpLocation): string {
  try {
    return userInfo().username;
  } catch (error) {
    throw new BackupError(
      "SETTING_INVALID",
      `target ${text} does not say who logs in, and this process has no user name`,
      {
        hint: "Write sftp://user@host/path.",
        cause: error,
      },
    );
  }
}

/** `~/` is the home of whoever runs this. */
function localPath(file: string): string {
  return file.startsWith("~/") ? path.join(homedir(), file.slice(2)) : path.resolve(file);
}

/** null: there is none, and `option` is null. Throws SETTING_INVALID. */
export async function fileOf(file: string, option: string | null): Promise<Buffer | null> {
  try {
    return await readFile(localPath(file));
  } catch (error) {
    if (option === null && errnoOf(error) === "ENOENT") return null;
    throw new BackupError(
      "SETTING_INVALID",
      `${option === null ? "" : `${option}=`}${file} cannot be read (${errnoOf(error) ?? "unknown"})`,
      {
        hint: "Look at the path and at its permissions; mqbackup runs as whoever starts it.",
        cause: error,
      },
    );
  }
}

async function secretIn(file: string, option: string): Promise<string> {
  const text = (await fileOf(file, option))?.toString("utf8").replace(/\r?\n$/, "") ?? "";
  if (text !== "") return text;
  throw new BackupError("SETTING_INVALID", `${option}=${file} is empty`, {
    hint: "Write the secret into its first line.",
  });
}

/** What ssh2 says of a key never holds any of it. */
function unusable(file: string, key: unknown, hasPassphrase: boolean): BackupError {
  const why = key instanceof Error ? key.message : "";
  if (/passphrase|encrypted/i.test(why)) {
    return new BackupError(
      "SETTING_INVALID",
      `identityFile=${file} ${hasPassphrase ? "does not open with the passphrase given" : "has a passphrase"}`,
      {
        hint: "Name a file with it by passphraseFile=, or have an agent hold the key and leave identityFile= away.",
      },
    );
  }
  return new BackupError("SETTING_INVALID", `identityFile=${file} is no private key that can be used`, {
    hint: "Name the private key, as ssh-keygen -t ed25519 makes one.",
  });
}
