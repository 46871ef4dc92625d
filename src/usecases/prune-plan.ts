import type { BackupId } from "../domain/backup-id.ts";
import { lasts } from "../domain/object-lock.ts";
import { planRetention, type RetentionPlan } from "../domain/retention.ts";
import type { RetentionPolicy } from "../domain/retention-policy.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { backupKey, MANIFEST_NAME } from "../repository/backup-folder.ts";
import { mapAtOnce } from "./at-once.ts";
import { findOrphans, isRunAtWork, type Orphan } from "./orphans.ts";
import { readStoredBackups, type KnownManifests, type StoredBackup } from "./stored-backups.ts";

/** Requests on their way at once. */
const AT_ONCE = 16;

export interface PruneRequest {
  readonly policy: RetentionPolicy;
  /** Only backups of this set go; null: of every set. Orphans are of no set. */
  readonly set: string | null;
  /** False: it is only said what would be removed. */
  readonly confirmed: boolean;
  /** Takes away the leases others hold on the sets. */
  readonly breakLease: boolean;
}

export type RemovalPlan = RetentionPlan<StoredBackup>;

export interface SweepPlan {
  readonly orphans: readonly Orphan[];
  /** Folders without a manifest that are left: they are too young, or a run is at work that may need them. */
  readonly unfinished: readonly BackupId[];
  /** Keys of what is not mqbackup's, and left alone. */
  readonly foreign: readonly string[];
}

/** What to make a plan of. */
export interface PruneSource {
  readonly store: Store;
  readonly known: KnownManifests;
  readonly now: Date;
}

/**
 * Each reads all that is at the target and touches nothing. They throw as `readStoredBackups`. Only of those that would go is asked
 * whether they are locked: what is locked stays, and keeps those it needs.
 */
export async function planRemovals(
  { store, known, now }: PruneSource,
  { policy, set }: PruneRequest,
  options: Abortable = {},
): Promise<RemovalPlan> {
  const { backups } = await readStoredBackups(store, known, options);
  const plan = planRetention(backups, policy, { set, now });
  const locked = await locksOf(store, plan.removals, now, options);
  return locked.size === 0 ? plan : planRetention(backups, policy, { set, now, locked });
}

/**
 * The manifest stands for its backup: it is locked last, and as long as the rest. One that was locked longer than its manifest, since
 * something broke off, goes as versions do: no longer listed, and kept by the store until then.
 */
async function locksOf(
  { locks }: Store,
  backups: readonly StoredBackup[],
  now: Date,
  options: Abortable,
): Promise<ReadonlyMap<BackupId, Date | null>> {
  if (locks === undefined) return new Map();
  const found = await mapAtOnce(backups, AT_ONCE, async ({ id }) => {
    const lock = await locks.of(backupKey(id, MANIFEST_NAME), options);
    return lock === null || !lasts(lock, now) ? [] : [[id, lock.until] as const];
  });
  return new Map(found.flat());
}

export async function planSweep(
  { store, known, now }: PruneSource,
  options: Abortable = {},
): Promise<SweepPlan> {
  const stored = await readStoredBackups(store, known, options);
  const atWork = await isRunAtWork(store, now, options);
  const orphans = findOrphans(stored, now).filter(({ committed }) => committed || !atWork);
  const swept = new Set(orphans.map(({ id }) => id));
  const unfinished = stored.unfinished.map(({ id }) => id).filter((id) => !swept.has(id));
  return { orphans, unfinished, foreign: stored.foreign };
}
