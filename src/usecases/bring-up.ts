import type { BackupId } from "../domain/backup-id.ts";
import { describeLeave } from "../domain/copy-plan.ts";
import { BackupError } from "../domain/errors.ts";
import type { TargetOutcome } from "../domain/target-outcome.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { committedIds, unfinishedIds } from "../repository/backup-folder.ts";
import { copyTo } from "./copy-destination.ts";
import { readSources } from "./copy-source.ts";
import type { CopiedTo, CopyDeps, CopyEvent } from "./copy-types.ts";
import { JUST_COPY } from "./finish-earlier.ts";

/** A target is brought up to the first, after the commit. */
export interface BringUpEvent {
  readonly kind: "copy-begun" | "copy-ended";
  readonly location: string;
  readonly id: BackupId;
  readonly bytes: number;
}

type BringUpDeps = Omit<CopyDeps, "destinations" | "report"> & { report(event: BringUpEvent): void };

/**
 * What a run committed at the first target goes to the others, with what it needs there, and what an earlier run has begun to bring
 * there. All at once, each by itself. What fails is in the result.
 */
export async function bringUp(
  deps: BringUpDeps,
  others: readonly Store[],
  made: readonly BackupId[],
  signal: AbortSignal,
): Promise<readonly TargetOutcome[]> {
  return Promise.all(others.map(async (destination) => bringUpOne(deps, destination, made, signal)));
}

async function bringUpOne(
  deps: BringUpDeps,
  destination: Store,
  made: readonly BackupId[],
  signal: AbortSignal,
): Promise<TargetOutcome> {
  const since = deps.now().getTime();
  const copied = await copyMade(deps, destination, made, signal);
  const error = copied.failure ?? shortfall(copied, made);
  return {
    location: destination.location,
    result: error === null ? "copied" : "not-copied",
    bytes: copied.backups.reduce((sum, { bytes }) => sum + bytes, 0),
    ms: deps.now().getTime() - since,
    error,
  };
}

async function copyMade(
  deps: BringUpDeps,
  destination: Store,
  made: readonly BackupId[],
  signal: AbortSignal,
): Promise<CopiedTo> {
  try {
    const begun = await begunEarlier(deps.source, destination, { signal });
    const { backups } = await readSources(deps.source, [...new Set([...made, ...begun])], { signal });
    const report = (event: CopyEvent): void => tell(deps, event);
    const copying = { ...deps, destinations: [destination], report };
    return await copyTo(copying, destination, backups, JUST_COPY, signal);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    return { location: destination.location, backups: [], failure: error };
  }
}

/** At the source, and without a manifest at the destination. */
async function begunEarlier(
  source: Store,
  destination: Store,
  options: Abortable,
): Promise<readonly BackupId[]> {
  const begun = await unfinishedIds(destination, options);
  if (begun.length === 0) return [];
  const there = new Set(await committedIds(source, options));
  return begun.filter((id) => there.has(id));
}

function tell(deps: BringUpDeps, event: CopyEvent): void {
  if (event.kind === "copy-begun") deps.report({ ...event, kind: "copy-begun" });
  if (event.kind !== "backup-ended" || !event.outcome.done || event.outcome.step.action === "none") return;
  const { location, outcome } = event;
  deps.report({ kind: "copy-ended", location, id: outcome.step.source.id, bytes: outcome.bytes });
}

function shortfall({ backups, location }: CopiedTo, made: readonly BackupId[]): BackupError | null {
  const lacking = backups.find(({ step, done }) => !done && made.includes(step.source.id));
  if (lacking === undefined) return null;
  const why = lacking.left === null ? "it was left" : describeLeave(lacking.left);
  return new BackupError("TARGET_FAILED", `backup ${lacking.step.source.id} is not at ${location}: ${why}`);
}
