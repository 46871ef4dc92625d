import { hasDamage, isSound, type Finding } from "../domain/findings.ts";
import type { BackupError } from "../domain/errors.ts";
import type { ReadingVerdict } from "../domain/reading-recipe.ts";
import type { BackupResult } from "../usecases/backup-types.ts";
import type { CheckResult } from "../usecases/check.ts";
import type { CompactResult } from "../usecases/compact-types.ts";
import type { CopyResult } from "../usecases/copy-types.ts";
import type { DrillResult } from "../usecases/drill-types.ts";
import type { Listing } from "../usecases/list.ts";
import type { RekeyResult } from "../usecases/rekey-types.ts";
import type { RestoreResult } from "../usecases/restore-types.ts";
import { hasAll } from "./render-targets.ts";
import { DAMAGED, DONE, exitStatusOf, INTERRUPTED, PARTIAL, REFUSED } from "./exit-status.ts";

/** Exit statuses of results: of use cases that came to an end. */

/** A drain that broke off has committed what came before: it is partial. */
export function backupStatus({ verdicts, partial, failure, targets }: BackupResult, dryRun: boolean): number {
  if (isInterruption(failure)) return INTERRUPTED;
  if (dryRun) return readingStatus(verdicts);
  return partial || failure !== null || !targets.every(hasAll) ? PARTIAL : DONE;
}

export function compactStatus({ targets }: CompactResult): number {
  return targets.every(hasAll) ? DONE : PARTIAL;
}

export function checkStatus({ queues }: CheckResult): number {
  return readingStatus(queues.map((queue) => (queue.refusal === null ? queue : { ...queue, recipe: null })));
}

/** One failed queue of several leaves a partial restore; all failed is a failure. */
export function restoreStatus({ dryRun, plan, queues, failure }: RestoreResult): number {
  if (isInterruption(failure)) return INTERRUPTED;
  if (plan.refusals.length > 0) return REFUSED;
  if (failure !== null) {
    const some = queues.some(({ outcome }) => outcome === "restored");
    return some ? PARTIAL : exitStatusOf(failure);
  }
  const lacking = queues.some(({ short, readBack }) => short > 0 || readBack?.kind === "unread");
  const gaps = plan.queues.some(({ source }) => source.outcome === "partial");
  return plan.left.length > 0 || gaps || (!dryRun && lacking) ? PARTIAL : DONE;
}

/** What speaks against the backup is its `failure`; that something could not be tried is partial, and so is what it lacks. */
export function drillStatus({ failure, queues, left, definitions, notRemoved }: DrillResult): number {
  if (failure !== null) return exitStatusOf(failure);
  const lacking = left.length + definitions.refused.length + notRemoved.length;
  const unproven = queues.some(({ outcome, partial }) => outcome !== "proven" || partial);
  return lacking > 0 || unproven ? PARTIAL : DONE;
}

/** The first failure of a destination counts most; then damage at the source; then what was left for another reason. */
export function copyStatus({ destinations, unusable }: CopyResult): number {
  const failures = destinations.flatMap(({ failure }) => (failure === null ? [] : [failure]));
  if (failures.some(isInterruption)) return INTERRUPTED;
  const [failure] = failures;
  if (failure !== undefined) return exitStatusOf(failure);
  const left = destinations.flatMap(({ backups }) => backups.flatMap((each) => each.left ?? []));
  const damaged = left.some((reason) => reason.kind === "source" && reason.damaged);
  if (damaged || unusable.some(({ damage }) => damage.code === "MANIFEST_DAMAGED")) return DAMAGED;
  return left.length > 0 || unusable.length > 0 ? PARTIAL : DONE;
}

export function rekeyStatus({ targets }: RekeyResult): number {
  const failures = targets.flatMap(({ failure }) => (failure === null ? [] : [failure]));
  if (failures.some(isInterruption)) return INTERRUPTED;
  const [failure] = failures;
  if (failure !== undefined) return exitStatusOf(failure);
  const damages = targets.flatMap(({ unusable }) => unusable.map(({ damage }) => damage.code));
  if (damages.some((code) => code !== "FORMAT_NEWER")) return DAMAGED;
  return damages.length > 0 ? PARTIAL : DONE;
}

export function listStatus({ damaged }: Listing): number {
  return damaged.length > 0 ? PARTIAL : DONE;
}

export function verifyStatus(findings: readonly Finding[]): number {
  if (hasDamage(findings)) return DAMAGED;
  return isSound(findings) ? DONE : PARTIAL;
}

function readingStatus(verdicts: readonly Pick<ReadingVerdict, "recipe">[]): number {
  const refused = verdicts.filter(({ recipe }) => recipe === null).length;
  if (refused === 0) return DONE;
  return refused === verdicts.length ? REFUSED : PARTIAL;
}

function isInterruption(failure: BackupError | null): boolean {
  return failure?.code === "INTERRUPTED";
}
