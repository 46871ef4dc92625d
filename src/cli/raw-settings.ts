import { BackupError } from "../domain/errors.ts";
import { nearest } from "../domain/nearest.ts";
import {
  SETTING_KEYS,
  flagOf,
  isSettingKey,
  settingEntry,
  variableOf,
  type SettingKey,
} from "./setting-table.ts";

/** As written: a switch is "true" or "false". */
export type RawValue = string | readonly string[];

/** A value, and where it came from in words: "--url", "MQBACKUP_URL", "url in /etc/mqbackup/mqbackup.yaml", "default". */
export interface RawSetting {
  readonly value: RawValue;
  readonly origin: string;
}

export type RawSettings = ReadonlyMap<SettingKey, RawSetting>;

/** Throws USAGE when a secret is on the command line. */
export function settingsFromFlags(flags: Readonly<Record<string, unknown>>): RawSettings {
  const found = new Map<SettingKey, RawSetting>();
  for (const key of SETTING_KEYS) {
    const value = flagValue(key, flags);
    if (value !== null) found.set(key, { value, origin: flagOf(key) });
  }
  for (const key of ["url", "managementUrl", "pingUrl"] as const) {
    for (const url of asList(found.get(key)?.value ?? [])) refusePassword(key, url);
  }
  return found;
}

/** Throws SETTING_INVALID for a variable MQBACKUP_... nobody knows. An empty variable is none. */
export function settingsFromEnvironment(env: Readonly<Record<string, string | undefined>>): RawSettings {
  const byVariable = new Map(SETTING_KEYS.map((key) => [variableOf(key), key]));
  const found = new Map<SettingKey, RawSetting>();
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith("MQBACKUP_") || text === undefined) continue;
    const key = byVariable.get(name);
    if (key === undefined) throw unknownSetting(name, "environment variable", byVariable.keys());
    const { kind, refuseEmpty } = settingEntry(key);
    const value = kind === "list" ? splitList(text) : text;
    if (refuseEmpty && value.length === 0) throw emptyValue(name);
    if (text === "") continue;
    found.set(key, { value, origin: name });
  }
  return found;
}

/** `document` is what the file holds, parsed. Throws SETTING_INVALID for an unknown key, or a value that is none. */
export function settingsFromFile(document: unknown, file: string): RawSettings {
  if (document === null || document === undefined) return new Map();
  if (typeof document !== "object" || Array.isArray(document)) {
    throw new BackupError(
      "SETTING_INVALID",
      `configuration file ${file} is not a list of settings and their values`,
      {
        hint: "Write one setting a line, for instance: target: /var/backups/rabbitmq.",
      },
    );
  }
  const found = new Map<SettingKey, RawSetting>();
  for (const [name, content] of Object.entries(document)) {
    if (!isSettingKey(name) || name === "config")
      throw unknownSetting(name, `setting in ${file}:`, SETTING_KEYS);
    const origin = `${name} in ${file}`;
    const value = fileValue(name, content, origin);
    if ((value === null || value.length === 0) && settingEntry(name).refuseEmpty) throw emptyValue(origin);
    if (value !== null) found.set(name, { value, origin });
  }
  return found;
}

export function defaultSettings(): RawSettings {
  const found = new Map<SettingKey, RawSetting>();
  for (const key of SETTING_KEYS) {
    const { default: value, kind } = settingEntry(key);
    if (value !== undefined) found.set(key, { value: kind === "list" ? [value] : value, origin: "default" });
  }
  return found;
}

export function asList(value: RawValue): readonly string[] {
  return typeof value === "string" ? [value] : value;
}

/** `--no-color` comes as `color: false`. */
function flagValue(key: SettingKey, flags: Readonly<Record<string, unknown>>): RawValue | null {
  if (key === "noColor") return flags["color"] === false ? "true" : null;
  if (key === "noProgress") return flags["progress"] === false ? "true" : null;
  const value = flags[key];
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(String);
  return typeof value === "boolean" ? String(value) : null;
}

/** By line breaks if there are any, else by commas outside of braces. */
function splitList(text: string): readonly string[] {
  const parts = text.includes("\n") ? text.split("\n") : (text.match(/(?:\{[^}]*\}|[^,])+/g) ?? []);
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

function fileValue(key: SettingKey, content: unknown, origin: string): RawValue | null {
  const { kind, secret } = settingEntry(key);
  if (content === null || content === undefined) return null;
  if (secret && typeof content !== "string") {
    throw invalid(origin, "is not text", "Put quotes around a password of digits.");
  }
  const text = scalarText(content);
  if (text !== null) return kind === "list" ? [text] : text;
  if (kind !== "list") throw invalid(origin, "takes one value", "Give a single value.");
  const items = Array.isArray(content) ? content.map(scalarText) : [null];
  return items.map((item) => {
    if (item === null)
      throw invalid(origin, "is not a list of values", "Write one value a line, each after a dash.");
    return item;
  });
}

function scalarText(content: unknown): string | null {
  if (typeof content === "string") return content;
  return typeof content === "number" || typeof content === "boolean" ? String(content) : null;
}

function refusePassword(key: SettingKey, text: string): void {
  if (!/^[^/]*\/\/[^/@]*:[^/]*@/.test(text)) return;
  throw new BackupError(
    "USAGE",
    `${flagOf(key)} holds a password, and every user of this machine can read a command line`,
    {
      hint: `Name the user alone (amqp://user@host) and give the password by MQBACKUP_PASSWORD_FILE, or the whole URL by ${variableOf(key)}.`,
    },
  );
}

function unknownSetting(name: string, what: string, known: Iterable<string>): BackupError {
  const meant = nearest(name, known);
  return new BackupError("SETTING_INVALID", `unknown ${what} ${name}`, {
    hint: meant === null ? "mqbackup check --print-settings lists all settings." : `Did you mean ${meant}?`,
  });
}

function emptyValue(origin: string): BackupError {
  return invalid(origin, "is empty", "Give it a value, or take it away: backups are then not encrypted.");
}

function invalid(origin: string, why: string, hint: string): BackupError {
  return new BackupError("SETTING_INVALID", `${origin} ${why}`, { hint });
}
