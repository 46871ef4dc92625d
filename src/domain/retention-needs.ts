import type { BackupId } from "./backup-id.ts";
import { compareByAge, type DatedBackup } from "./retention-policy.ts";

/** A backup and those that hold messages of it. */
export interface Needing extends DatedBackup {
  readonly kept: ReadonlyMap<BackupId, number>;
}

/** So many messages of `by`, the newest that is kept and needs it, lie in it; and messages of so many others. */
export interface NeededReason {
  readonly kind: "needed";
  readonly by: BackupId;
  readonly messages: number;
  readonly others: number;
}

/**
 * Of those nobody wants for themselves, the ones that have to stay all the same. One that stays is a backup like any other, listed and
 * to be restored, so what it needs stays too.
 */
export function neededByOthers(
  backups: readonly Needing[],
  unwanted: ReadonlySet<Needing>,
): ReadonlyMap<BackupId, NeededReason> {
  const byId = new Map(backups.map((backup) => [backup.id, backup]));
  const stays = backups.filter((backup) => !unwanted.has(backup));
  const needed = new Set<Needing>();
  for (const backup of stays) {
    for (const id of backup.kept.keys()) {
      const holder = byId.get(id);
      if (holder === undefined || !unwanted.has(holder) || needed.has(holder)) continue;
      needed.add(holder);
      // Grows while it is walked.
      stays.push(holder);
    }
  }
  const newestFirst = stays.toSorted((a, b) => compareByAge(b, a));
  return new Map([...needed].map(({ id }) => [id, reasonFor(id, newestFirst)]));
}

function reasonFor(id: BackupId, newestFirst: readonly Needing[]): NeededReason {
  const needing = newestFirst.filter((backup) => backup.id !== id && backup.kept.has(id));
  const by = needing[0];
  return {
    kind: "needed",
    by: by?.id ?? id,
    messages: by?.kept.get(id) ?? 0,
    others: needing.length - 1,
  };
}

/**
 * Newest first, but none before those that need it: what a wrong clock dated back is not the first to go for that. Two that need
 * each other cannot be: a backup names only what was there before it.
 */
export function dependentsFirst<Backup extends Needing>(backups: readonly Backup[]): readonly Backup[] {
  const newestFirst = backups.toSorted((a, b) => compareByAge(b, a));
  const dependents = new Map<BackupId, Backup[]>();
  for (const backup of newestFirst) {
    for (const id of backup.kept.keys()) dependents.set(id, [...(dependents.get(id) ?? []), backup]);
  }
  const ordered = new Set<Backup>();
  const seen = new Set<Backup>();
  const place = (backup: Backup): void => {
    if (seen.has(backup)) return;
    seen.add(backup);
    for (const dependent of dependents.get(backup.id) ?? []) place(dependent);
    ordered.add(backup);
  };
  for (const backup of newestFirst) place(backup);
  return [...ordered];
}
