import type { SettingEntry } from "./setting-entry.ts";

const COMMANDS = ["full", "incremental", "compact", "copy", "rekey"] as const;

export const LOCK_SETTINGS = {
  lockDays: {
    kind: "text",
    value: "n",
    help: "lock what is put for so many days: nobody can change or remove it; for buckets of S3 with object lock alone",
    group: "Target",
    commands: COMMANDS,
  },
  lockMode: {
    kind: "text",
    value: "mode",
    help: "governance (the default): who has the right to may end such a lock before its time; compliance: nobody may",
    group: "Target",
    commands: COMMANDS,
  },
} as const satisfies Readonly<Record<string, SettingEntry>>;
