import { BackupError, hasCode } from "./errors.ts";

/** What one copy fails with and another may not. */
const ELSEWHERE = [
  "OBJECT_MISSING",
  "REPOSITORY_MISSING",
  "MANIFEST_DAMAGED",
  "ARCHIVE_DAMAGED",
  "TARGET_MISSING",
  "TARGET_REFUSED",
  "TARGET_FAILED",
] as const;

/** Of these the whole target is spoken of, not one object. */
const WHOLE_TARGET = ["REPOSITORY_MISSING", "TARGET_MISSING"] as const;

/** What a copy failed with that was asked before others. */
export interface FailedCopy {
  readonly location: string;
  readonly error: BackupError;
}

/** Throws what is no matter of this copy. */
export function failedAt({ location }: { readonly location: string }, error: unknown): FailedCopy {
  if (!hasCode(error, ...ELSEWHERE)) throw error;
  return { location, error };
}

export function isOfWholeTarget(error: BackupError): boolean {
  return hasCode(error, ...WHOLE_TARGET);
}

/** Of the first copy that is there and not whole; else it is missing, where there is anything; else all targets are. */
export function failedEverywhere(key: string, failed: readonly FailedCopy[]): BackupError {
  const told =
    failed.find(({ error }) => !hasCode(error, "OBJECT_MISSING", ...WHOLE_TARGET)) ??
    failed.find(({ error }) => hasCode(error, "OBJECT_MISSING")) ??
    failed[0];
  const each = failed.map(({ location, error }) => `at ${location}: ${error.message}`).join("; ");
  const { code, hint } = told?.error ?? new BackupError("INTERNAL", "there are no copies");
  return new BackupError(code, `no target has ${key} whole: ${each}`, {
    ...(hint === undefined ? {} : { hint }),
    cause: told?.error,
  });
}
