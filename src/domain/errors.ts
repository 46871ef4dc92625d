/** Every way mqbackup can fail, by name. The exit status of each is in `cli/exit-status.ts`. */
export type ErrorCode =
  | "USAGE"
  | "SETTING_INVALID"
  | "BROKER_UNREACHABLE"
  | "BROKER_LOST"
  | "BROKER_ALARM"
  | "LOGIN_REFUSED"
  | "VHOST_MISSING"
  | "MANAGEMENT_UNREACHABLE"
  | "MANAGEMENT_REFUSED"
  | "QUEUE_MISSING"
  | "QUEUE_LOCKED"
  | "QUEUE_BUSY"
  | "QUEUE_REFUSED"
  | "QUEUE_UNSAFE"
  | "QUEUE_UNREADABLE"
  | "NO_QUEUE_SELECTED"
  | "NO_MESSAGE_SELECTED"
  | "PUBLISH_REFUSED"
  | "PUBLISH_UNROUTABLE"
  | "RESTORE_REFUSED"
  | "READ_BACK_DIFFERS"
  | "DRILL_DIFFERS"
  | "TARGET_MISSING"
  | "TARGET_REFUSED"
  | "TARGET_FULL"
  | "TARGET_FAILED"
  | "OBJECT_MISSING"
  | "OBJECT_EXISTS"
  | "REPOSITORY_MISSING"
  | "BACKUP_MISSING"
  | "BACKUP_AMBIGUOUS"
  | "FORMAT_NEWER"
  | "MANIFEST_DAMAGED"
  | "ARCHIVE_DAMAGED"
  | "LEASE_HELD"
  | "KEY_WRONG"
  | "METRICS_FAILED"
  | "INTERRUPTED"
  | "INTERNAL";

/**
 * The one error people see. `message`: lowercase, no full stop, names the thing and why. `hint`: one sentence a person can act on.
 * Neither ever holds a secret.
 */
export class BackupError extends Error {
  override readonly name = "BackupError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** True for a BackupError of one of these codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is BackupError {
  return error instanceof BackupError && codes.includes(error.code);
}
