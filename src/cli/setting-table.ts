import { BACKUP_SETTINGS } from "./backup-settings.ts";
import { BROKER_SETTINGS } from "./broker-settings.ts";
import { ENCRYPTION_SETTINGS } from "./encryption-settings.ts";
import { REPORT_SETTINGS } from "./report-settings.ts";
import { COPY_SETTINGS } from "./copy-settings.ts";
import { RESTORE_SETTINGS } from "./restore-settings.ts";
import { RETENTION_SETTINGS } from "./retention-settings.ts";
import { COMMANDS, type CommandName, type SettingEntry } from "./setting-entry.ts";
import { VERIFY_SETTINGS } from "./verify-settings.ts";

const OUTPUT_SETTINGS = {
  dryRun: {
    kind: "switch",
    help: "say what would be done, touch nothing",
    group: "Output",
    commands: ["full", "incremental", "restore", "compact", "copy", "rekey"],
  },
  printSettings: {
    kind: "switch",
    help: "print every setting and where it came from, secrets masked, and do nothing else",
    group: "Output",
    commands: ["check"],
  },
  json: { kind: "switch", help: "the result as JSON", group: "Output", commands: COMMANDS },
  quiet: { kind: "switch", help: "nothing when all is well", group: "Output", commands: COMMANDS },
  verbose: {
    kind: "switch",
    help: "more about what is done; stack traces",
    group: "Output",
    commands: COMMANDS,
  },
  noColor: { kind: "switch", help: "no colours, as with NO_COLOR", group: "Output", commands: COMMANDS },
  noProgress: { kind: "switch", help: "no progress", group: "Output", commands: COMMANDS },
  config: {
    kind: "text",
    value: "file",
    help: "configuration file (default: ./mqbackup.yaml, else /etc/mqbackup/mqbackup.yaml)",
    group: "Output",
    commands: COMMANDS,
  },
} as const satisfies Readonly<Record<string, SettingEntry>>;

/** Every setting there is. Its flag, environment variable and key in the configuration file are three spellings of one name. */
export const SETTINGS = {
  ...BROKER_SETTINGS,
  ...BACKUP_SETTINGS,
  ...ENCRYPTION_SETTINGS,
  ...RESTORE_SETTINGS,
  ...VERIFY_SETTINGS,
  ...COPY_SETTINGS,
  ...REPORT_SETTINGS,
  ...RETENTION_SETTINGS,
  ...OUTPUT_SETTINGS,
};

export type SettingKey = keyof typeof SETTINGS;

export const SETTING_KEYS: readonly SettingKey[] = Object.keys(SETTINGS).filter(isSettingKey);

export function isSettingKey(name: string): name is SettingKey {
  return Object.hasOwn(SETTINGS, name);
}

export function settingEntry(key: SettingKey): SettingEntry {
  return SETTINGS[key];
}

/** `--max-hold` of `maxHold`. */
export function flagOf(key: SettingKey): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `MQBACKUP_MAX_HOLD` of `maxHold`. */
export function variableOf(key: SettingKey): string {
  return `MQBACKUP_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** The settings a command takes on its command line. */
export function settingsOf(command: CommandName): readonly SettingKey[] {
  return SETTING_KEYS.filter((key) => settingEntry(key).commands.includes(command));
}
