import type { BackupKind } from "./manifest.ts";
import { chainOf, compareBackupIds, type BackupId } from "./backup-id.ts";
import { PERIODS, periodOf, type Period } from "./retention-periods.ts";

/** What of one set is to be kept. null: not asked for. Each is a reason to keep, none is a reason to remove. */
export interface RetentionPolicy {
  /** The newest so many. */
  readonly last: number | null;
  /** The newest of each of so many hours, days, ... that have a backup. */
  readonly periods: Readonly<Record<Period, number | null>>;
  /** What was begun at most so long before the newest, in milliseconds. */
  readonly withinMs: number | null;
  /** The newest so many full backups and all of their chains. */
  readonly full: number | null;
}

/** What the policy looks at. */
export interface DatedBackup {
  readonly id: BackupId;
  readonly kind: BackupKind;
  readonly startedAt: Date;
}

export type PolicyReason =
  | { readonly kind: "last"; readonly place: number; readonly of: number }
  | { readonly kind: Period; readonly period: string }
  | { readonly kind: "within"; readonly ms: number }
  /** `chain`: it is not that full backup itself but one of its chain. */
  | { readonly kind: "full"; readonly place: number; readonly of: number; readonly chain: boolean };

/** True: the policy keeps nothing, as nothing was asked for. */
export function isEmptyPolicy({ last, periods, withinMs, full }: RetentionPolicy): boolean {
  return [last, withinMs, full, ...PERIODS.map((period) => periods[period])].every((part) => part === null);
}

/** The policy's reasons to keep each backup of one set; what is in none of them it would let go. */
export function policyReasons(
  backups: readonly DatedBackup[],
  policy: RetentionPolicy,
): ReadonlyMap<BackupId, readonly PolicyReason[]> {
  const newestFirst = backups.toSorted((a, b) => compareByAge(b, a));
  const reasons = new Map<BackupId, PolicyReason[]>(backups.map(({ id }) => [id, []]));
  const keep = (id: BackupId, reason: PolicyReason): void => void reasons.get(id)?.push(reason);
  keepLast(newestFirst, policy.last ?? 0, keep);
  for (const period of PERIODS) keepPeriods(newestFirst, period, policy.periods[period] ?? 0, keep);
  if (policy.withinMs !== null) keepWithin(newestFirst, policy.withinMs, keep);
  keepFulls(newestFirst, policy.full ?? 0, keep);
  return reasons;
}

/** Oldest first. Not by id alone: chains are not in order of age. */
export function compareByAge(a: DatedBackup, b: DatedBackup): number {
  return a.startedAt.getTime() - b.startedAt.getTime() || compareBackupIds(a.id, b.id);
}

type Keep = (id: BackupId, reason: PolicyReason) => void;

function keepLast(newestFirst: readonly DatedBackup[], of: number, keep: Keep): void {
  for (const [at, { id }] of newestFirst.slice(0, of).entries())
    keep(id, { kind: "last", place: at + 1, of });
}

function keepPeriods(newestFirst: readonly DatedBackup[], kind: Period, of: number, keep: Keep): void {
  const seen = new Set<string>();
  for (const { id, startedAt } of newestFirst) {
    const period = periodOf(kind, startedAt);
    if (seen.has(period)) continue;
    if (seen.size === of) return;
    seen.add(period);
    keep(id, { kind, period });
  }
}

/** Counted from the newest backup, not from now: where backups stopped, the last ones do not go one after another. */
function keepWithin(newestFirst: readonly DatedBackup[], ms: number, keep: Keep): void {
  const newest = newestFirst[0]?.startedAt.getTime() ?? 0;
  for (const { id, startedAt } of newestFirst) {
    if (startedAt.getTime() >= newest - ms) keep(id, { kind: "within", ms });
  }
}

function keepFulls(newestFirst: readonly DatedBackup[], of: number, keep: Keep): void {
  const fulls = newestFirst.filter(({ kind }) => kind === "full").slice(0, of);
  const places = new Map(fulls.map(({ id }, at) => [id, at + 1]));
  for (const { id, kind } of newestFirst) {
    const place = places.get(chainOf(id));
    if (place !== undefined) keep(id, { kind: "full", place, of, chain: kind !== "full" });
  }
}
