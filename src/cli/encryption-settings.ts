import type { SettingEntry } from "./setting-entry.ts";

const MAKING = ["full", "incremental", "compact"] as const;
const WRITING = [...MAKING, "rekey"] as const;
const READING = [
  "incremental",
  "restore",
  "drill",
  "show",
  "diff",
  "cat",
  "verify",
  "compact",
  "rekey",
] as const;
const BOTH = ["full", ...READING] as const;

/** For whom backups are encrypted, and what opens them. Left out by mistake, a backup would be readable: empty ones are refused. */
export const ENCRYPTION_SETTINGS = {
  recipient: {
    kind: "list",
    value: "age1...",
    help: "encrypt new backups, or with rekey the keys of old ones, to this age recipient (X25519); repeatable: each of them can read",
    refuseEmpty: true,
    group: "Encryption",
    commands: WRITING,
  },
  recipientsFile: {
    kind: "list",
    value: "file",
    help: "file with such recipients, one a line; repeatable",
    refuseEmpty: true,
    group: "Encryption",
    commands: WRITING,
  },
  encryptNames: {
    kind: "switch",
    help: "with --set: leave names of queues and virtual hosts unreadable in what is stored",
    group: "Encryption",
    commands: MAKING,
  },
  identityFile: {
    kind: "list",
    value: "file",
    help: "file of age identities (AGE-SECRET-KEY-1...) that open backups; repeatable",
    group: "Encryption",
    commands: READING,
  },
  passphrase: {
    kind: "text",
    help: "passphrase that encrypts and opens backups, in place of recipients and identities",
    secret: true,
    refuseEmpty: true,
    group: "Encryption",
    commands: BOTH,
  },
  passphraseFile: {
    kind: "text",
    value: "file",
    help: "file with the passphrase that encrypts and opens backups, in place of recipients and identities",
    refuseEmpty: true,
    group: "Encryption",
    commands: BOTH,
  },
  newPassphrase: {
    kind: "text",
    help: "passphrase that opens backups from now on, in place of recipients",
    secret: true,
    refuseEmpty: true,
    group: "Encryption",
    commands: ["rekey"],
  },
  newPassphraseFile: {
    kind: "text",
    value: "file",
    help: "file with the passphrase that opens backups from now on, in place of recipients",
    refuseEmpty: true,
    group: "Encryption",
    commands: ["rekey"],
  },
} as const satisfies Readonly<Record<string, SettingEntry>>;
