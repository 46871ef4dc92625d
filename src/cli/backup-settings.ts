import { LOCK_SETTINGS } from "./lock-settings.ts";
import type { SettingEntry } from "./setting-entry.ts";

const TAKING = ["full", "incremental"] as const;
const WRITING = [...TAKING, "compact"] as const;
const BROKER = ["full", "incremental", "restore", "check"] as const;
const READING = ["full", "incremental", "check"] as const;
const REPOSITORY = [
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
  "prune",
  "mark",
  "unmark",
] as const;

/** Where backups are kept, and how queues are read. */
export const BACKUP_SETTINGS = {
  target: {
    kind: "list",
    value: "place",
    help: "where backups are kept: a directory, s3://bucket/prefix or sftp://user@host/path; repeatable: full, incremental and compact put a copy to each, copy brings the others up to the first, what is read comes from the first that has it whole",
    group: "Target",
    commands: REPOSITORY,
  },
  set: {
    kind: "text",
    value: "label",
    help: "the set of backups this one belongs to, or to list or prune (default for backups: made from cluster and virtual hosts)",
    group: "Target",
    commands: ["full", "incremental", "list", "prune"],
  },
  breakLease: {
    kind: "switch",
    help: "take away the lease of another run on the set, when it is certain that it is dead",
    group: "Target",
    commands: [...WRITING, "copy", "prune"],
  },
  spoolDir: {
    kind: "text",
    value: "directory",
    help: "where volumes are built before they go to the targets (default: in the first target; for one of S3 or SFTP, in the temporary directory)",
    group: "Target",
    commands: WRITING,
  },
  spoolMax: {
    kind: "text",
    value: "size",
    help: "how much of volumes may wait there for slow targets, the one being written with them; beyond that reading waits (default: what its disk has, but for a twentieth or 4 GiB; in memory three volumes)",
    group: "Target",
    commands: WRITING,
  },
  ...LOCK_SETTINGS,
  uploadRate: {
    kind: "text",
    value: "rate",
    help: "send at most so many bytes a second (20MiB) to each target",
    group: "Target",
    commands: [...WRITING, "copy"],
  },
  volumeSize: {
    kind: "text",
    value: "size",
    help: "largest volume",
    default: "256MiB",
    group: "Target",
    commands: WRITING,
  },
  compressionLevel: {
    kind: "text",
    value: "n",
    help: "zstd level, 1 to 19",
    default: "1",
    group: "Target",
    commands: WRITING,
  },
  base: {
    kind: "text",
    value: "id",
    help: "the backup to build on (default: the newest of the set)",
    group: "Backup",
    commands: ["incremental"],
  },
  requireBase: {
    kind: "switch",
    help: "fail when the set has no backup to build on, instead of taking a full one",
    group: "Backup",
    commands: ["incremental"],
  },
  drain: {
    kind: "switch",
    help: "remove from the queues what was backed up, after the commit",
    group: "Backup",
    commands: ["full", "check"],
  },
  parallel: {
    kind: "text",
    value: "n",
    help: "queues read or restored at once",
    default: "4",
    group: "Backup",
    commands: ["full", "incremental", "restore", "drill"],
  },
  maxHold: {
    kind: "text",
    value: "duration",
    help: "give a queue back after this long; what was not read becomes a gap",
    default: "14m",
    group: "Backup",
    commands: ["full", "incremental", "restore", "drill"],
  },
  keepDeliveries: {
    kind: "text",
    value: "n",
    help: "also read queues where reading costs one of the limited deliveries, as long as n (2 or more) are left to every message",
    group: "Backup",
    commands: BROKER,
  },
  readerPriority: {
    kind: "text",
    value: "n",
    help: "consumer priority of the reader",
    default: "0",
    group: "Backup",
    commands: BROKER,
  },
  holdMemory: {
    kind: "text",
    value: "size or percent",
    help: "how much broker memory a hold may be expected to take; a percentage is of what is free below the watermark",
    default: "50%",
    group: "Backup",
    commands: READING,
  },
  rate: {
    kind: "text",
    value: "n",
    help: "read at most so many messages (5000) or bytes (20MiB) a second",
    group: "Backup",
    commands: TAKING,
  },
  accept: {
    kind: "list",
    value: "code",
    help: "accept what is refused or counted as partial otherwise; reading: sac-takeover, hold-memory, in-flight, spent-deliveries; restoring: type-change, overflow, cc, duplicates; repeatable",
    group: "Backup",
    commands: BROKER,
  },
} as const satisfies Readonly<Record<string, SettingEntry>>;
