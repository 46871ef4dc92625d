import type { BackupId } from "./backup-id.ts";
import { compareByAge, policyReasons } from "./retention-policy.ts";
import type { DatedBackup, PolicyReason, RetentionPolicy } from "./retention-policy.ts";
import { withBelievedDates } from "./retention-dates.ts";
import { dependentsFirst, neededByOthers, type NeededReason } from "./retention-needs.ts";

/** A backup as far as it matters for whether it may go. */
export interface RetentionBackup extends DatedBackup {
  readonly set: string;
  /** Somebody said that it shall never go. */
  readonly marked: boolean;
  /** Every queue that was wanted is in it whole, and all that it consists of is there. */
  readonly complete: boolean;
  /** Messages it does not hold itself, by the backups that do. */
  readonly kept: ReadonlyMap<BackupId, number>;
}

export type KeepReason =
  | PolicyReason
  | NeededReason
  | { readonly kind: "marked" }
  /** null: until somebody takes the lock away. */
  | { readonly kind: "locked"; readonly until: Date | null }
  /** Begun later than now: some clock is wrong, and no rule of time is to be trusted with it. */
  | { readonly kind: "future" }
  /** The newest of its set that is complete; where none is, the newest. */
  | { readonly kind: "newest"; readonly complete: boolean };

export interface Judgement<Backup> {
  readonly backup: Backup;
  /** Why it is kept; none: it goes. */
  readonly reasons: readonly KeepReason[];
}

export interface RetentionPlan<Backup> {
  /** By name; the backups of each oldest first, with times that can be believed. */
  readonly sets: readonly { readonly set: string; readonly backups: readonly Judgement<Backup>[] }[];
  /** In an order in which none that is still there ever needs one that is gone. */
  readonly removals: readonly Backup[];
}

export interface RetentionScope {
  /** Only backups of this set may go; null: of all sets. */
  readonly set: string | null;
  readonly now: Date;
  /** Backups that cannot be removed before a time; null: until somebody takes the lock away. */
  readonly locked?: ReadonlyMap<BackupId, Date | null>;
}

/**
 * What becomes of each backup, by the policy for each set alone. `given` must be all there are, of whatever set: one that stays
 * keeps those that hold its messages. Of every set the newest complete one stays, whatever the policy.
 */
export function planRetention<Backup extends RetentionBackup>(
  given: readonly Backup[],
  policy: RetentionPolicy,
  scope: RetentionScope,
): RetentionPlan<Backup> {
  const backups = withBelievedDates<Backup>(given, scope.now);
  const names = [...new Set(backups.map(({ set }) => set))].toSorted();
  const sets = names
    .filter((name) => scope.set === null || name === scope.set)
    .map((set) => ({ set, backups: judge(ofSet(backups, set), policy, scope) }));
  const unwanted = new Set(
    sets.flatMap((each) => each.backups.filter(isUnwanted).map(({ backup }) => backup)),
  );
  const needed = neededByOthers(backups, unwanted);
  return {
    sets: sets.map((each) => ({ ...each, backups: each.backups.map((one) => withNeeds(one, needed)) })),
    removals: dependentsFirst([...unwanted].filter(({ id }) => !needed.has(id))),
  };
}

function ofSet<Backup extends RetentionBackup>(backups: readonly Backup[], name: string): readonly Backup[] {
  return backups.filter(({ set }) => set === name).toSorted(compareByAge);
}

/** Of one set, oldest first, by itself: what others need is not looked at. */
function judge<Backup extends RetentionBackup>(
  backups: readonly Backup[],
  policy: RetentionPolicy,
  { now, locked }: RetentionScope,
): readonly Judgement<Backup>[] {
  const past = backups.filter(({ startedAt }) => startedAt <= now);
  const byPolicy = policyReasons(past, policy);
  const newest = past.findLast(({ complete }) => complete) ?? past.at(-1);
  return backups.map((backup) => {
    const reasons: KeepReason[] = [...(byPolicy.get(backup.id) ?? [])];
    if (backup.startedAt > now) reasons.push({ kind: "future" });
    if (backup.marked) reasons.push({ kind: "marked" });
    const until = locked?.get(backup.id);
    if (until !== undefined) reasons.push({ kind: "locked", until });
    if (backup === newest && reasons.length === 0)
      reasons.push({ kind: "newest", complete: backup.complete });
    return { backup, reasons };
  });
}

function isUnwanted({ reasons }: Judgement<unknown>): boolean {
  return reasons.length === 0;
}

function withNeeds<Backup extends RetentionBackup>(
  judgement: Judgement<Backup>,
  needed: ReadonlyMap<BackupId, NeededReason>,
): Judgement<Backup> {
  const reason = needed.get(judgement.backup.id);
  return reason === undefined ? judgement : { ...judgement, reasons: [reason] };
}
