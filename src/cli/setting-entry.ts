export const COMMANDS = [
  "full",
  "incremental",
  "restore",
  "drill",
  "list",
  "show",
  "diff",
  "cat",
  "verify",
  "compact",
  "copy",
  "rekey",
  "prune",
  "mark",
  "unmark",
  "check",
] as const;
export type CommandName = (typeof COMMANDS)[number];

/** The headings of the help, in order. */
export const SETTING_GROUPS = [
  "Broker",
  "Queues",
  "Target",
  "Backup",
  "Encryption",
  "Restore",
  "Messages",
  "Verify",
  "Copy",
  "Monitoring",
  "Retention",
  "Output",
] as const;

export interface SettingEntry {
  /** text: one value. list: the flag may be repeated. switch: without a value. */
  readonly kind: "text" | "list" | "switch";
  /** Stands for the value in the help. */
  readonly value?: string;
  readonly help: string;
  /** As it would be written; absent: none. */
  readonly default?: string;
  readonly choices?: readonly string[];
  /** Has no flag: command lines are seen by every user of the machine. */
  readonly secret?: true;
  /** An empty variable, or an empty key of the configuration file, is a mistake and not the same as none. */
  readonly refuseEmpty?: true;
  readonly group: (typeof SETTING_GROUPS)[number];
  readonly commands: readonly CommandName[];
}
