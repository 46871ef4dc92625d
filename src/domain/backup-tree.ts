import { chainOf, compareBackupIds, ownLabel, parseBackupId } from "./backup-id.ts";
import type { BackupKind } from "./manifest.ts";

/** What places a backup in the tree. */
export interface TreeBackup {
  readonly id: string;
  readonly kind: BackupKind;
  readonly base: string | null;
  readonly set: string;
}

/** A full backup and the incrementals of its chain, oldest first. */
export interface ChainBranch<T> {
  /** Id of the full. */
  readonly chain: string;
  /** null: it is not among the backups given. */
  readonly full: T | null;
  readonly incrementals: readonly T[];
}

export interface SetBranch<T> {
  readonly set: string;
  /** By the age of their fulls, oldest first. */
  readonly chains: readonly ChainBranch<T>[];
}

/** Backups by set, in alphabetical order, and chain. */
export function backupTree<T extends TreeBackup>(backups: readonly T[]): readonly SetBranch<T>[] {
  const sets = new Map<string, Map<string, T[]>>();
  for (const backup of backups) {
    const chains = sets.get(backup.set) ?? new Map<string, T[]>();
    sets.set(backup.set, chains);
    const chain = chainOf(parseBackupId(backup.id));
    const members = chains.get(chain);
    if (members === undefined) chains.set(chain, [backup]);
    else members.push(backup);
  }
  return [...sets]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([set, chains]) => ({
      set,
      chains: [...chains]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([chain, all]) => branchOf(chain, all)),
    }));
}

/** The label of the base when that is not the backup before it, as it is where runs follow one another. */
export function otherBase(backup: TreeBackup, before: TreeBackup | null): string | null {
  if (backup.base === null || backup.base === before?.id) return null;
  return ownLabel(parseBackupId(backup.base));
}

function branchOf<T extends TreeBackup>(chain: string, members: readonly T[]): ChainBranch<T> {
  const full = members.find(({ kind }) => kind === "full") ?? null;
  const incrementals = members
    .filter(({ kind }) => kind === "incremental")
    .toSorted((a, b) => compareBackupIds(parseBackupId(a.id), parseBackupId(b.id)));
  return { chain, full, incrementals };
}
