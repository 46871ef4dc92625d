import { BackupError, type ErrorCode } from "../../domain/errors.ts";
import { ConnectionLost, NotOffered, StatusAnswer } from "./sftp-session.ts";

/** Of SFTP version 3. FAILURE stands for whatever has no number of its own: a full disk, a file that exists, an error of the disk. */
export const STATUS = {
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  OP_UNSUPPORTED: 8,
} as const;

interface Meaning {
  readonly code: ErrorCode;
  readonly why: string;
  readonly hint: string;
}

const ADDRESS = "Look at host and port in the target, at the network, and at the server.";

const BY_CONNECTION: Readonly<Record<string, Meaning>> = {
  lost: { code: "TARGET_FAILED", why: "the connection was lost", hint: ADDRESS },
  silent: {
    code: "TARGET_FAILED",
    why: "the server does not answer",
    hint: "Look at the network, and at the server and its disks; then run again.",
  },
  ENOTFOUND: { code: "TARGET_MISSING", why: "there is no host of that name", hint: ADDRESS },
  EAI_AGAIN: { code: "TARGET_FAILED", why: "the name service does not answer", hint: ADDRESS },
  ECONNREFUSED: { code: "TARGET_FAILED", why: "connection refused", hint: ADDRESS },
  ECONNRESET: { code: "TARGET_FAILED", why: "the connection was lost", hint: ADDRESS },
  ETIMEDOUT: { code: "TARGET_FAILED", why: "the server does not answer", hint: ADDRESS },
  EHOSTUNREACH: { code: "TARGET_FAILED", why: "there is no way to that host", hint: ADDRESS },
  ENETUNREACH: { code: "TARGET_FAILED", why: "there is no way to that network", hint: ADDRESS },
};

const BY_STATUS: Readonly<Record<number, Meaning>> = {
  [STATUS.NO_SUCH_FILE]: {
    code: "TARGET_FAILED",
    why: "there is no such file or directory any more",
    hint: "Look whether somebody else removes things there.",
  },
  [STATUS.PERMISSION_DENIED]: {
    code: "TARGET_REFUSED",
    why: "permission denied",
    hint: "Give the user of the target the right to read and write there; the directory should be his.",
  },
  [STATUS.FAILURE]: {
    code: "TARGET_FAILED",
    why: "the server reports a failure and does not say which",
    hint: "Look at its disk, at the user's quota and at its log.",
  },
  [STATUS.BAD_MESSAGE]: {
    code: "TARGET_FAILED",
    why: "the server does not take the name or the request",
    hint: "Look at its log; the path may be too long.",
  },
  [STATUS.OP_UNSUPPORTED]: {
    code: "TARGET_REFUSED",
    why: "the server or its file system does not support what mqbackup needs",
    hint: "Look in the README what an SFTP server must support.",
  },
};

const FULL: Meaning = {
  code: "TARGET_FULL",
  why: "no space is left there",
  hint: "Free some space there or choose another target; nothing of this backup is kept.",
};

const READ_ONLY: Meaning = {
  code: "TARGET_REFUSED",
  why: "the file system there is read-only",
  hint: "Have it mounted for writing, or choose another target.",
};

/** A FAILURE while the file system is full. */
export class Full extends Error {
  override readonly name = "Full";
}

/** A FAILURE on a file system that is not to be written to. */
export class ReadOnly extends Error {
  override readonly name = "ReadOnly";
}

/** What a failed call means for a target. `doing` completes "cannot ...". */
export function sftpError(error: unknown, doing: string): unknown {
  const meaning = meaningOf(error);
  if (meaning === undefined) return error;
  return new BackupError(meaning.code, `cannot ${doing}: ${meaning.why}`, {
    hint: meaning.hint,
    cause: error,
  });
}

function meaningOf(error: unknown): Meaning | undefined {
  if (error instanceof Full) return FULL;
  if (error instanceof ReadOnly) return READ_ONLY;
  if (error instanceof NotOffered) return BY_STATUS[STATUS.OP_UNSUPPORTED];
  if (error instanceof StatusAnswer) {
    return (
      BY_STATUS[error.status] ?? {
        code: "TARGET_FAILED",
        why: `the server answers with status ${error.status}`,
        hint: "Look at its log.",
      }
    );
  }
  if (!(error instanceof ConnectionLost)) return undefined;
  return BY_CONNECTION[error.how] ?? { code: "TARGET_FAILED", why: error.how, hint: ADDRESS };
}

export function hasStatus(error: unknown, ...statuses: readonly number[]): error is StatusAnswer {
  return error instanceof StatusAnswer && statuses.includes(error.status);
}
