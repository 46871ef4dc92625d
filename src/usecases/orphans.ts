import type { BackupId } from "../domain/backup-id.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import type { FolderObject } from "../repository/backup-folder.ts";
import { leasePart, LEASES, setPrefix } from "../repository/leases.ts";
import type { StoredBackups } from "./stored-backups.ts";

/** Nothing is taken for left behind before it has lain untouched for so long: a run at work puts volumes more often. */
const LEFT_BEHIND_MS = 24 * 60 * 60 * 1000;

/** Objects that no manifest names. */
export interface Orphan {
  /** The folder they are in. */
  readonly id: BackupId;
  /** False: the whole folder is of no backup. */
  readonly committed: boolean;
  readonly objects: readonly FolderObject[];
  readonly bytes: number;
}

/**
 * What interrupted runs have left, and removals that were broken off: folders without a manifest in which nothing was put for a day,
 * and single objects as old that the manifest beside them does not name.
 */
export function findOrphans({ backups, unfinished }: StoredBackups, now: Date): readonly Orphan[] {
  const isOld = ({ modifiedAt }: FolderObject): boolean =>
    now.getTime() - modifiedAt.getTime() > LEFT_BEHIND_MS;
  const folders = unfinished
    .filter(({ objects }) => objects.every(isOld))
    .map(({ id, objects }) => orphan(id, false, objects));
  const single = backups
    .map(({ id, unnamed }) => orphan(id, true, unnamed.filter(isOld)))
    .filter(({ objects }) => objects.length > 0);
  return [...folders, ...single].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * True: some run has put a lease, or renewed it, within a day, and not given it back. A folder without a manifest does not say of which set it is, so none is
 * judged meanwhile. What is left of a lease is swept by the next run of its set. `exceptSet`: the caller holds that one.
 */
export async function isRunAtWork(
  store: Pick<Store, "list">,
  now: Date,
  { exceptSet = null, ...options }: Abortable & { readonly exceptSet?: string | null } = {},
): Promise<boolean> {
  const own = exceptSet === null ? null : setPrefix(exceptSet);
  const recent: string[] = [];
  const over = new Set<string>();
  for await (const { key, modifiedAt } of store.list(LEASES, options)) {
    if (own !== null && key.startsWith(own)) continue;
    const { lease = key, part = null } = leasePart(key) ?? {};
    if (part === "release") over.add(lease);
    else if (now.getTime() - modifiedAt.getTime() <= LEFT_BEHIND_MS) recent.push(lease);
  }
  return recent.some((lease) => !over.has(lease));
}

function orphan(id: BackupId, committed: boolean, objects: readonly FolderObject[]): Orphan {
  return { id, committed, objects, bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0) };
}
