import type { RunIdentity } from "../domain/lease.ts";

/** The processes of mqbackup, this one and others. */
export interface Runs {
  readonly current: RunIdentity;
  /** True only when it is certain that this process has ended: it was of this machine. */
  isGone(run: Omit<RunIdentity, "host">): boolean;
  /** Letters and digits nobody else gets, ever. */
  newLeaseId(): string;
}
