import { BackupError, type ErrorCode } from "../../domain/errors.ts";

/** What is known of a failed request, whoever failed it. */
interface Failure {
  /** The name in the store's answer, or of the SDK's own error. */
  readonly name: string;
  /** Of the answer; null: there was none. */
  readonly status: number | null;
  /** Of the system call, e.g. "ECONNREFUSED"; null: it was none. */
  readonly errno: string | null;
  /** How often it was tried. */
  readonly attempts: number;
}

const CREDENTIALS =
  "Look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, at AWS_PROFILE or profile=, or at the machine's role, whichever is meant.";
const PERMISSION =
  "Give these credentials the rights the README lists for what they do: s3:ListBucket and s3:GetObject to read, s3:PutObject to write, s3:DeleteObject to prune.";
const BUCKET = "Make the bucket, or look at its name, endpoint= and region= in the target.";
const ADDRESS = "Look at endpoint= and region= in the target, at the network, and at the store.";

interface Meaning {
  readonly code: ErrorCode;
  readonly why: string;
  readonly hint: string;
}

const REFUSED = "TARGET_REFUSED";
const BY_NAME: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: { code: "TARGET_MISSING", why: "there is no such bucket", hint: BUCKET },
  ENOTFOUND: { code: "TARGET_MISSING", why: "there is no host of that name", hint: ADDRESS },
  EAI_AGAIN: { code: "TARGET_FAILED", why: "the name service does not answer", hint: ADDRESS },
  ECONNREFUSED: { code: "TARGET_FAILED", why: "connection refused", hint: ADDRESS },
  ECONNRESET: { code: "TARGET_FAILED", why: "connection lost", hint: ADDRESS },
  EPIPE: { code: "TARGET_FAILED", why: "connection lost", hint: ADDRESS },
  TimeoutError: { code: "TARGET_FAILED", why: "it does not answer in time", hint: ADDRESS },
  ETIMEDOUT: { code: "TARGET_FAILED", why: "it does not answer in time", hint: ADDRESS },
  CredentialsProviderError: { code: REFUSED, why: "no credentials are found", hint: CREDENTIALS },
  TokenProviderError: { code: REFUSED, why: "the session of the profile cannot be used", hint: CREDENTIALS },
  InvalidAccessKeyId: { code: REFUSED, why: "the access key is not known there", hint: CREDENTIALS },
  SignatureDoesNotMatch: {
    code: REFUSED,
    why: "the secret key is not that of the access key",
    hint: CREDENTIALS,
  },
  ExpiredToken: { code: REFUSED, why: "the credentials have run out", hint: CREDENTIALS },
  InvalidToken: { code: REFUSED, why: "the session token is not accepted", hint: CREDENTIALS },
  RequestTimeTooSkewed: {
    code: REFUSED,
    why: "this machine's clock and the store's differ too much",
    hint: "Set the clock of this machine.",
  },
  AccessDenied: { code: REFUSED, why: "access denied", hint: PERMISSION },
  QuotaExceeded: full("the quota is used up"),
  XMinioStorageFull: full("the store is full"),
  InsufficientStorage: full("the store is full"),
  SlowDown: {
    code: "TARGET_FAILED",
    why: "the store asks to slow down",
    hint: "Try again later, or with --upload-rate.",
  },
  NotImplemented: {
    code: REFUSED,
    why: "the store does not support what mqbackup needs",
    hint: "Look in the README what a store must support.",
  },
  InvalidObjectState: {
    code: REFUSED,
    why: "the object was moved to an archive",
    hint: "Have it restored there first; keep lifecycle rules for archives away from backups in use.",
  },
  InvalidStorageClass: {
    code: REFUSED,
    why: "the store has no such storage class",
    hint: "Look at storageClass= in the target.",
  },
};

/** The same by the status of answers without a name. */
const BY_STATUS: Readonly<Record<number, string>> = {
  401: "AccessDenied",
  403: "AccessDenied",
  501: "NotImplemented",
  507: "InsufficientStorage",
};

function full(why: string): Meaning {
  return {
    code: "TARGET_FULL",
    why,
    hint: "Free some space, have the quota raised, or choose another target; nothing of this backup is kept.",
  };
}

export function failureOf(error: unknown): Failure {
  const own = { name: "", status: null, errno: null, attempts: 1 };
  if (!(error instanceof Error)) return own;
  const metadata = "$metadata" in error && isRecord(error.$metadata) ? error.$metadata : {};
  const { httpStatusCode: status, attempts } = metadata;
  return {
    name: error.name,
    status: typeof status === "number" ? status : null,
    errno: errnoIn(error),
    attempts: typeof attempts === "number" ? attempts : 1,
  };
}

/** The object is not there. A bucket that is missing is another matter. */
export function isObjectMissing(error: unknown): boolean {
  const { name, status } = failureOf(error);
  return name === "NoSuchKey" || (status === 404 && name !== "NoSuchBucket" && name !== "NoSuchUpload");
}

/** If-None-Match was honoured, and something is there. */
export function isPreconditionFailed(error: unknown): boolean {
  return failureOf(error).status === 412;
}

/** Another request for the same key was under way; which one was first is not said. */
export function isConflict(error: unknown): boolean {
  return failureOf(error).status === 409;
}

export function isNotImplemented(error: unknown): boolean {
  return failureOf(error).status === 501;
}

export function isRangeUnsatisfiable(error: unknown): boolean {
  return failureOf(error).status === 416;
}

/**
 * What a failed request means for a target. `doing` completes "cannot ...". Never holds what the store says in words: that may be
 * anything.
 */
export function s3Error(error: unknown, doing: string): unknown {
  if (error instanceof BackupError) return error;
  if (!(error instanceof Error)) return error;
  const failure = failureOf(error);
  if (isMissingRegion(error)) {
    return new BackupError("SETTING_INVALID", `cannot ${doing}: no region is given`, {
      hint: "Add region= to the target, or set AWS_REGION.",
    });
  }
  const meaning = meaningOf(failure);
  const { code, why, hint } = meaning ?? unknownFailure(failure);
  return new BackupError(code, `cannot ${doing}: ${why}`, { hint, cause: causeOf(error, failure) });
}

/** The SDK's errors hold the whole request, signature and all. */
function causeOf(error: Error, { name, status, errno }: Failure): Error {
  const cause = new Error([name, status, errno].filter((part) => part !== null).join(" "));
  if (error.stack !== undefined) cause.stack = `${cause.message}\n${framesOf(error.stack)}`;
  return cause;
}

function framesOf(stack: string): string {
  return stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .join("\n");
}

function meaningOf({ name, status, errno }: Failure): Meaning | undefined {
  return (
    BY_NAME[name] ??
    (errno === null ? undefined : BY_NAME[errno]) ??
    BY_NAME[status === null ? "" : (BY_STATUS[status] ?? "")]
  );
}

function unknownFailure({ name, status, errno }: Failure): Meaning {
  const what = errno ?? (/^\w{1,60}$/.test(name) && name !== "Error" ? name : "an error without a name");
  const why = status === null ? what : `the store answers ${status} ${what}`;
  return { code: "TARGET_FAILED", why, hint: ADDRESS };
}

function isMissingRegion(error: Error): boolean {
  return error.message === "Region is missing";
}

/** Of the error, or of what it was made from: several addresses of one host fail as one. */
function errnoIn(error: Error): string | null {
  if ("code" in error && typeof error.code === "string" && /^E[A-Z_]+$/.test(error.code)) return error.code;
  const [first] = error instanceof AggregateError ? error.errors : [error.cause];
  return first instanceof Error ? errnoIn(first) : null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
