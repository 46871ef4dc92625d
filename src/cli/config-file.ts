import { readFile } from "node:fs/promises";
import path from "node:path";

import { BackupError } from "../domain/errors.ts";
import { settingsFromFile, type RawSettings } from "./raw-settings.ts";

const SYSTEM_FILE = "/etc/mqbackup/mqbackup.yaml";

/**
 * The configuration file's settings: of `named`, else of mqbackup.yaml in the working directory, else of the system's. None of the
 * two has to be there. Throws SETTING_INVALID.
 */
export async function readConfigFile(named: string | null, cwd: string): Promise<RawSettings> {
  if (named !== null) return (await settingsOfFile(path.resolve(cwd, named), named)) ?? missing(named);
  return (
    (await settingsOfFile(path.join(cwd, "mqbackup.yaml"), "./mqbackup.yaml")) ??
    (await settingsOfFile(SYSTEM_FILE, SYSTEM_FILE)) ??
    new Map()
  );
}

function missing(named: string): never {
  throw new BackupError("SETTING_INVALID", `configuration file ${named} does not exist`, {
    hint: "Look at --config and MQBACKUP_CONFIG.",
  });
}

/** null: there is no such file. */
async function settingsOfFile(file: string, shown: string): Promise<RawSettings | null> {
  const text = await textOf(file, shown);
  if (text === null) return null;
  const { parse, YAMLParseError } = await import("yaml");
  try {
    return settingsFromFile(parse(text, { prettyErrors: false, maxAliasCount: 0 }), shown);
  } catch (error) {
    if (!(error instanceof YAMLParseError) && !(error instanceof ReferenceError)) throw error;
    // The parser's own words could quote a line that holds a password.
    const line =
      error instanceof YAMLParseError ? ` (line ${text.slice(0, error.pos[0]).split("\n").length})` : "";
    throw new BackupError("SETTING_INVALID", `configuration file ${shown} is not YAML${line}`, {
      hint: "Write one setting a line, for instance: target: /var/backups/rabbitmq.",
    });
  }
}

async function textOf(file: string, shown: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new BackupError("SETTING_INVALID", `configuration file ${shown} cannot be read (${String(code)})`, {
      hint: "Look at its permissions; mqbackup runs as whoever starts it.",
      cause: error,
    });
  }
}
