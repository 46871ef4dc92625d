import { BackupError, type ErrorCode } from "../../domain/errors.ts";

const CODES: Readonly<Record<string, ErrorCode>> = {
  EACCES: "TARGET_REFUSED",
  EPERM: "TARGET_REFUSED",
  EROFS: "TARGET_REFUSED",
  ELOOP: "TARGET_REFUSED",
  ENOSPC: "TARGET_FULL",
  EDQUOT: "TARGET_FULL",
};

const HINTS: Readonly<Record<string, string>> = {
  EACCES: "Give the user mqbackup runs as the right to read and write there.",
  EPERM: "Give the user mqbackup runs as the right to read and write there.",
  EROFS: "The file system is mounted read-only: mount it for writing, or choose another target.",
  ELOOP: "Symbolic links inside a repository are not followed: replace the link by what it leads to.",
  ENOSPC: "Free some space or choose another target; nothing of this backup is kept.",
  EDQUOT: "The quota is used up: free some space or have it raised; nothing of this backup is kept.",
  EFBIG: "The file system does not take files of this size: choose smaller volumes or another target.",
  EIO: "The disk or the network file system reports an error: look at the system log.",
  ENOTDIR: "A file is where a directory should be.",
  EMFILE: "Raise the limit of open files, or read fewer queues at once.",
};

/** The errno name of a failed system call, e.g. "ENOENT"; undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** There is nothing of that name. */
export function isAbsence(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "");
}

/** What a failed system call means for a target. `doing` completes "cannot ... ", e.g. "write backups/x at /srv". */
export function fileError(error: unknown, doing: string): unknown {
  const errno = errnoOf(error);
  if (error instanceof BackupError || errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) return error;
  const hint = HINTS[errno];
  return new BackupError(CODES[errno] ?? "TARGET_FAILED", `cannot ${doing}: ${why(errno)}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "read-only file system",
  ELOOP: "it is a symbolic link",
  ENOSPC: "no space left on device",
  EDQUOT: "disk quota exceeded",
  EFBIG: "file too large",
  EIO: "input/output error",
  ENOTDIR: "not a directory",
  ENOENT: "no such file or directory",
};

function why(errno: string): string {
  const reason = REASONS[errno];
  return reason === undefined ? errno : `${reason} (${errno})`;
}
