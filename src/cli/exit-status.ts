import { BackupError, type ErrorCode } from "../domain/errors.ts";

/** What the exit statuses mean; a contract with scripts. */
export const EXIT_STATUSES: readonly (readonly [status: number, meaning: string])[] = [
  [0, "done, everything asked for"],
  [1, "failed; nothing was committed"],
  [2, "wrong usage or configuration"],
  [3, "done, but partial: queues skipped, gaps, a target without it; the summary names them"],
  [4, "broker not reachable, or refused the login"],
  [5, "a target not reachable, full, or refused"],
  [10, "no such backup or repository"],
  [11, "another run, or another reader, holds it"],
  [12, "wrong key or passphrase"],
  [20, "verify, copy or a drill found damage"],
  [30, "refused: unsafe without an explicit flag; nothing was touched"],
  [130, "interrupted; the broker and the targets were left clean"],
];

export const DONE = 0;
const FAILED = 1;
export const PARTIAL = 3;
export const DAMAGED = 20;
export const REFUSED = 30;
export const INTERRUPTED = 130;

const BY_CODE: Readonly<Record<ErrorCode, number>> = {
  USAGE: 2,
  SETTING_INVALID: 2,
  BROKER_UNREACHABLE: 4,
  BROKER_LOST: 4,
  BROKER_ALARM: 4,
  LOGIN_REFUSED: 4,
  VHOST_MISSING: 4,
  MANAGEMENT_UNREACHABLE: 4,
  MANAGEMENT_REFUSED: 4,
  QUEUE_MISSING: FAILED,
  QUEUE_LOCKED: 11,
  QUEUE_BUSY: 11,
  QUEUE_REFUSED: FAILED,
  QUEUE_UNSAFE: REFUSED,
  QUEUE_UNREADABLE: FAILED,
  NO_QUEUE_SELECTED: FAILED,
  NO_MESSAGE_SELECTED: FAILED,
  PUBLISH_REFUSED: FAILED,
  PUBLISH_UNROUTABLE: FAILED,
  RESTORE_REFUSED: REFUSED,
  READ_BACK_DIFFERS: FAILED,
  DRILL_DIFFERS: DAMAGED,
  TARGET_MISSING: 5,
  TARGET_REFUSED: 5,
  TARGET_FULL: 5,
  TARGET_FAILED: 5,
  OBJECT_MISSING: DAMAGED,
  OBJECT_EXISTS: FAILED,
  REPOSITORY_MISSING: 10,
  BACKUP_MISSING: 10,
  BACKUP_AMBIGUOUS: 10,
  FORMAT_NEWER: FAILED,
  MANIFEST_DAMAGED: DAMAGED,
  ARCHIVE_DAMAGED: DAMAGED,
  LEASE_HELD: 11,
  KEY_WRONG: 12,
  METRICS_FAILED: PARTIAL,
  INTERRUPTED: INTERRUPTED,
  INTERNAL: FAILED,
};

/** Of an error with a code, or of any other: those are mistakes of mqbackup itself. */
export function exitStatusOf(error: unknown): number {
  return error instanceof BackupError ? BY_CODE[error.code] : FAILED;
}
