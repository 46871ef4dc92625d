import type { SettingEntry } from "./setting-entry.ts";

const PRUNE = ["prune"] as const;

function kept(what: string) {
  return { kind: "text", value: "n", help: `keep ${what}`, group: "Retention", commands: PRUNE } as const;
}

/** What stays when a set is pruned. */
export const RETENTION_SETTINGS = {
  keepLast: kept("the newest n backups"),
  keepHourly: kept("the newest backup of each of the last n hours that have one (UTC)"),
  keepDaily: kept("the newest of each of the last n days that have one"),
  keepWeekly: kept("the newest of each of the last n weeks that have one (Monday to Sunday)"),
  keepMonthly: kept("the newest of each of the last n months that have one"),
  keepYearly: kept("the newest of each of the last n years that have one"),
  keepWithin: { ...kept("what was begun at most so long before the newest"), value: "duration" },
  keepFull: kept("the newest n full backups and all of their chains"),
  confirm: {
    kind: "switch",
    help: "remove what the plan says; without, it is only printed",
    group: "Retention",
    commands: PRUNE,
  },
} as const satisfies Readonly<Record<string, SettingEntry>>;
