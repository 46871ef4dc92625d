import { readFile } from "node:fs/promises";
import { BackupError } from "../domain/errors.ts";
import { isMisplacedIdentity } from "./key-texts.ts";

/** What a file holds that a flag names. Throws SETTING_INVALID. */
export async function readNamedFile(file: string, flag: string): Promise<Buffer> {
  if (isMisplacedIdentity(file)) {
    throw new BackupError("SETTING_INVALID", `${flag} is given an identity, and not the file that holds it`, {
      hint: "Write it into a file that only you can read, and name that. Where a command line held it, others may have seen it.",
    });
  }
  try {
    return await readFile(file);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new BackupError("SETTING_INVALID", `${flag}: ${file} cannot be read (${code})`, {
      hint: "Look at the path and at its permissions; mqbackup runs as whoever starts it.",
      cause: error,
    });
  }
}

/** A file that holds one secret, in its first line. `what` is it. Throws SETTING_INVALID. */
export async function readSecretFile(
  file: string,
  flag: string,
  what: "password" | "passphrase",
): Promise<string> {
  const text = (await readNamedFile(file, flag)).toString("utf8").replace(/\r?\n$/, "");
  if (text !== "") return text;
  throw new BackupError("SETTING_INVALID", `${what} file ${file} is empty`, {
    hint: `Write the ${what} into its first line.`,
  });
}
