import type { SettingEntry } from "./setting-entry.ts";

export const VERIFY_SETTINGS = {
  quick: {
    kind: "switch",
    help: "manifests, sizes of files and references alone; no checksums",
    group: "Verify",
    commands: ["verify"],
  },
  records: {
    kind: "switch",
    help: "beside the checksums every message, and its fingerprint in the index",
    group: "Verify",
    commands: ["verify"],
  },
  sample: {
    kind: "text",
    value: "percent",
    help: "what --quick looks at, and of a random part of the segments every message",
    group: "Verify",
    commands: ["verify"],
  },
} as const satisfies Readonly<Record<string, SettingEntry>>;
