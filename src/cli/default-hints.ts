import type { ErrorCode } from "../domain/errors.ts";

const CHECK = "mqbackup check says what can be read, and how.";
const VERIFY = "mqbackup verify shows all that is damaged; restore from another copy or another backup.";
const TARGET = "Look at the target's file system, its permissions and the system log.";
const MANAGEMENT = "Look at --management-url, or name the queues with --queue and say --management-url none.";
const BROKER = "Look whether the broker runs and what its log says, then run again.";

/** What to do about an error that does not say it better itself. */
export const DEFAULT_HINTS: Readonly<Record<ErrorCode, string>> = {
  USAGE: "mqbackup --help describes the usage.",
  SETTING_INVALID: "mqbackup check --print-settings shows every setting and where it came from.",
  BROKER_UNREACHABLE: BROKER,
  BROKER_LOST: BROKER,
  BROKER_ALARM: "Wait until the alarm is cleared.",
  LOGIN_REFUSED: "Look at user and password.",
  VHOST_MISSING: "Look at --vhost, and at the user's permissions there.",
  MANAGEMENT_UNREACHABLE: MANAGEMENT,
  MANAGEMENT_REFUSED: MANAGEMENT,
  QUEUE_MISSING: CHECK,
  QUEUE_LOCKED: "Wait until the other run has ended.",
  QUEUE_BUSY: CHECK,
  QUEUE_REFUSED: "Look at the user's permissions on the queue.",
  QUEUE_UNSAFE: CHECK,
  QUEUE_UNREADABLE: "Look at the broker's log; leave the queue out with --exclude.",
  NO_QUEUE_SELECTED: "Look at --queue, --exclude and --vhost.",
  NO_MESSAGE_SELECTED: "mqbackup cat with the same flags shows what is selected.",
  PUBLISH_REFUSED: "Look at the broker's log and at the limits of the queue.",
  PUBLISH_UNROUTABLE: "Look whether queue and bindings are there.",
  RESTORE_REFUSED: "mqbackup restore --dry-run shows the whole plan.",
  READ_BACK_DIFFERS: "Look who else uses the queue, then restore into an empty one.",
  DRILL_DIFFERS:
    "mqbackup verify checks the archive alone; if it is sound, look at the broker that was drilled on: version, plugins, log.",
  TARGET_MISSING: TARGET,
  TARGET_REFUSED: TARGET,
  TARGET_FULL: "Free some space or choose another target.",
  TARGET_FAILED: TARGET,
  OBJECT_MISSING: VERIFY,
  OBJECT_EXISTS: "Look who else writes to this target.",
  REPOSITORY_MISSING: "Look at --target.",
  BACKUP_MISSING: "mqbackup list shows the backups there are.",
  BACKUP_AMBIGUOUS: "Give more of the id.",
  FORMAT_NEWER: "Use a version of mqbackup that knows this format.",
  MANIFEST_DAMAGED: "Take the backup from another copy of the repository.",
  ARCHIVE_DAMAGED: VERIFY,
  METRICS_FAILED: "Look at --metrics-file; what the run did stands.",
  LEASE_HELD: "Wait until the other run has ended.",
  KEY_WRONG: "Give the identity or the passphrase of the backup: --identity-file or --passphrase-file.",
  INTERRUPTED: "Nothing is left half done: run the same command again.",
  INTERNAL: "This is a mistake in mqbackup: run it again with --verbose and report what it prints.",
};
