import type { BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import type { Store } from "../ports/store.ts";
import { isMarked } from "../repository/marks.ts";
import { removeObjects } from "../repository/removal.ts";
import type { LeaseDeps, LeaseEvent } from "./held-lease.ts";
import { planRemovals, planSweep } from "./prune-plan.ts";
import type { PruneRequest, PruneSource, RemovalPlan, SweepPlan } from "./prune-plan.ts";
import { setBySet } from "./set-by-set.ts";
import { withLease } from "./with-lease.ts";

export interface PruneDeps extends Omit<LeaseDeps, "report"> {
  readonly store: Store;
  report(event: PruneEvent): void;
}

export type PruneEvent = Removal | LeaseEvent;

/** A backup that is gone, or orphans in the folder of one. */
export interface Removal {
  readonly kind: "backup-removed" | "orphans-removed";
  readonly id: BackupId;
  readonly bytes: number;
}

export interface CarriedOut {
  /** As they were made anew for each set while that was held, and for the orphans. */
  readonly sets: RemovalPlan["sets"];
  readonly sweep: SweepPlan;
  readonly removals: readonly Removal[];
  /** Why not everything was done. */
  readonly failure: BackupError | null;
}

/** What carrying out needs to know, and where it says how far it came. */
interface Work {
  readonly deps: PruneDeps;
  readonly source: PruneSource;
  readonly request: PruneRequest;
  onSets(sets: RemovalPlan["sets"]): void;
  onSweep(plan: SweepPlan): void;
  onRemoved(removal: Removal): void;
}

/**
 * Carries out a plan: set by set, then the orphans, each read and planned anew when nobody else can change it. A set that another run
 * holds is left and the others are done; any other failure ends it. What stores and signals throw is in the result.
 */
export async function carryOut(
  deps: PruneDeps,
  source: PruneSource,
  request: PruneRequest,
  planned: Pick<CarriedOut, "sets" | "sweep">,
  signal: AbortSignal,
): Promise<CarriedOut> {
  const removals: Removal[] = [];
  let { sets, sweep } = planned;
  const work: Work = {
    deps,
    source,
    request,
    onSets: (anew) => {
      sets = sets.map((each) => anew.find(({ set }) => set === each.set) ?? each);
    },
    onSweep: (anew) => {
      sweep = anew;
    },
    onRemoved: (removal) => {
      removals.push(removal);
      deps.report(removal);
    },
  };
  let failure: BackupError | null = null;
  try {
    failure = await pruneSets(work, planned.sets, signal);
    await sweepOrphans(work, signal);
    await deps.store.sweep?.({ signal });
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    failure = error;
  }
  return { sets, sweep, removals, failure };
}

/** What was wrong with the first set that was left; null: none was. */
async function pruneSets(
  work: Work,
  sets: RemovalPlan["sets"],
  signal: AbortSignal,
): Promise<BackupError | null> {
  const wanted = sets.filter(({ backups }) => backups.some(({ reasons }) => reasons.length === 0));
  return setBySet(
    wanted.map(({ set }) => set),
    async (set) => pruneSet(work, set, signal),
  );
}

async function pruneSet(work: Work, set: string, signal: AbortSignal): Promise<void> {
  const { deps, source, request } = work;
  const { breakLease } = request;
  const wish = { stores: [deps.store], set, command: "prune", breakLease };
  await withLease(deps, wish, signal, async (held) => {
    // A backup may have been committed, or marked, between the first look and now.
    const { sets, removals } = await planRemovals(source, { ...request, set }, held);
    work.onSets(sets);
    for (const { id, objects, bytes } of removals) {
      await held.assertHeld();
      await refuseMarked(deps.store, id);
      await removeObjects(deps.store, objects);
      work.onRemoved({ kind: "backup-removed", id, bytes });
    }
  });
}

/** A mark is put without holding the set. */
async function refuseMarked(store: Store, id: BackupId): Promise<void> {
  if (!(await isMarked(store, id))) return;
  throw new BackupError("LEASE_HELD", `backup ${id} was marked while prune was at work`, {
    hint: "Run prune again: it leaves this backup and what that needs.",
  });
}

/** Only what has no manifest goes, and that no more while a run is at work: no set needs to be held. */
async function sweepOrphans(work: Work, signal: AbortSignal): Promise<void> {
  const plan = await planSweep(work.source, { signal });
  work.onSweep(plan);
  for (const { id, objects, bytes } of plan.orphans) {
    signal.throwIfAborted();
    await removeObjects(work.deps.store, objects);
    work.onRemoved({ kind: "orphans-removed", id, bytes });
  }
}
