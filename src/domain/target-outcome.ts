import type { BackupError } from "./errors.ts";

/**
 * What became of a run at one target. committed: it has all that the run made. copied: so too, brought up to the first after the commit.
 * given-up: it failed before the commit, and has nothing of it. unfinished: all is there but the manifest, which the next run or
 * `copy` puts. not-copied: it could not be brought up; `copy` does that.
 */
export type TargetResult = "committed" | "copied" | "given-up" | "unfinished" | "not-copied";

export interface TargetOutcome {
  readonly location: string;
  readonly result: TargetResult;
  /** Of volumes and indexes put there. */
  readonly bytes: number;
  /** While something was on its way there. */
  readonly ms: number;
  /** Why it does not have all; null: it has. */
  readonly error: BackupError | null;
}
