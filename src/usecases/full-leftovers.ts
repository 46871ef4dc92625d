import { compareBackupIds, type BackupId } from "../domain/backup-id.ts";
import { hasCode } from "../domain/errors.ts";
import { isBegunBy } from "../domain/full-resume.ts";
import type { Abortable } from "../ports/abortable.ts";
import { begunAtOf } from "../repository/backup-copy.ts";
import {
  backupKey,
  BEGUN_NAME,
  committedIds,
  folderPrefix,
  isOwnName,
  MANIFEST_NAME,
  type FolderObject,
} from "../repository/backup-folder.ts";
import type { Catalog } from "../repository/catalog.ts";
import type { FullBegun } from "../repository/full-journal.ts";
import { removeObjects } from "../repository/removal.ts";

/** What lies at one target of a backup that a run of this machine has begun. */
export interface LeftAt {
  readonly catalog: Catalog;
  /** By name; those of names that mqbackup gives. */
  readonly objects: ReadonlyMap<string, FolderObject>;
  readonly committed: boolean;
  /** It was begun by that run, and by nobody else under the same id. */
  readonly isIts: boolean;
}

/** Throws TARGET_*. */
export async function leftAt(
  catalog: Catalog,
  { backup, startedAt }: FullBegun,
  options: Abortable,
): Promise<LeftAt> {
  const { store } = catalog;
  const prefix = folderPrefix(backup);
  const objects = new Map<string, FolderObject>();
  for await (const object of store.list(prefix, options)) {
    const name = object.key.slice(prefix.length);
    if (isOwnName(name)) objects.set(name, { ...object, name });
  }
  const text = await begunAtOf(store, backupKey(backup, BEGUN_NAME), options);
  const isIts = isBegunBy(text, backup, startedAt);
  return { catalog, objects, committed: objects.has(MANIFEST_NAME), isIts };
}

/** Nobody is at work on it. What cannot be removed is left to `prune`. Throws the signal's reason. */
export async function removeLeft(
  { catalog, objects, committed, isIts }: LeftAt,
  { signal }: Abortable,
): Promise<void> {
  if (!isIts || committed) return;
  await removeObjects(catalog.store, [...objects.values()]).catch(() => undefined);
  signal?.throwIfAborted();
}

/** Whether the set has a backup begun later, as far as can be told: one that cannot be read may be of the set. Throws TARGET_*. */
export async function hasNewer(
  catalogs: readonly Catalog[],
  set: string,
  backup: BackupId,
  options: Abortable,
): Promise<boolean> {
  for (const catalog of catalogs) if (await hasNewerAt(catalog, set, backup, options)) return true;
  return false;
}

async function hasNewerAt(
  catalog: Catalog,
  set: string,
  backup: BackupId,
  options: Abortable,
): Promise<boolean> {
  for (const id of await committedIds(catalog.store, options)) {
    if (compareBackupIds(id, backup) < 0) continue;
    try {
      if ((await catalog.manifest(id, options)).set === set) return true;
    } catch (error) {
      if (hasCode(error, "MANIFEST_DAMAGED", "FORMAT_NEWER")) return true;
      if (!hasCode(error, "BACKUP_MISSING")) throw error;
    }
  }
  return false;
}
