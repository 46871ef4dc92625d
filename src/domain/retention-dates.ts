import { chainOf, compareBackupIds, type BackupId } from "./backup-id.ts";
import type { DatedBackup } from "./retention-policy.ts";

/**
 * The same backups with the times that can be believed: a clock may have been set back, but within a chain ids are given in order, so
 * none was begun before one with an earlier id. Times that are still to come are nobody's measure.
 */
export function withBelievedDates<Backup extends DatedBackup>(
  backups: readonly Backup[],
  now: Date,
): readonly (Backup & DatedBackup)[] {
  const latest = new Map<BackupId, Date>();
  return backups
    .toSorted((a, b) => compareBackupIds(a.id, b.id))
    .map((backup) => {
      const chain = chainOf(backup.id);
      const before = latest.get(chain) ?? backup.startedAt;
      const startedAt = before > backup.startedAt ? before : backup.startedAt;
      if (startedAt <= now) latest.set(chain, startedAt);
      return { ...backup, startedAt };
    });
}
