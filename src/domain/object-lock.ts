/** governance: whoever has a special right may end it before its time. compliance: nobody may. */
export const LOCK_MODES = ["governance", "compliance"] as const;
type LockMode = (typeof LOCK_MODES)[number];

/** What is put with it can be neither changed nor removed until then. */
export interface ObjectLock {
  readonly mode: LockMode;
  readonly until: Date;
}

/** A lock as it is found at a store. */
export interface FoundLock {
  readonly mode: LockMode;
  /** null: until somebody takes it away (a legal hold). */
  readonly until: Date | null;
}

export const DAY_MS = 24 * 60 * 60 * 1000;

/** What is locked so needs no other lock to be so until then. */
export function lasts(lock: FoundLock | null, until: Date): boolean {
  return lock !== null && (lock.until === null || lock.until >= until);
}
