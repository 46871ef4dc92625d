import type { SettingEntry } from "./setting-entry.ts";

export const COPY_SETTINGS = {
  checksum: {
    kind: "switch",
    help: "read also what is at the destinations already, and replace what does not match its checksum",
    group: "Copy",
    commands: ["copy"],
  },
} as const satisfies Readonly<Record<string, SettingEntry>>;
