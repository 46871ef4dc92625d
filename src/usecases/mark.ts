import type { BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { backupKey, MANIFEST_NAME } from "../repository/backup-folder.ts";
import { resolveBackup } from "../repository/catalog.ts";
import { putMark, removeMark } from "../repository/marks.ts";
import { readObjectOrNull } from "../repository/objects.ts";
import { readRepository } from "../repository/repository-document.ts";

export interface MarkDeps {
  /** The backup is marked at each of them. */
  readonly stores: readonly [Store, ...Store[]];
  now(): Date;
}

export interface MarkRequest {
  /** An id, the beginning of one, or "latest": as the first target has it. */
  readonly backup: string;
  /** False: the mark is taken away. */
  readonly marked: boolean;
}

export interface MarkResult {
  readonly id: BackupId;
  /** `changed` false: it was so already. */
  readonly targets: readonly { readonly location: string; readonly changed: boolean }[];
}

/**
 * Protects one backup from being removed by a policy, or no longer. Nothing is changed unless every target has the backup.
 * Throws BACKUP_MISSING, BACKUP_AMBIGUOUS, REPOSITORY_MISSING, FORMAT_NEWER, MANIFEST_DAMAGED, TARGET_*.
 */
export async function mark(
  deps: MarkDeps,
  { backup, marked }: MarkRequest,
  signal?: AbortSignal,
): Promise<MarkResult> {
  const options = signal === undefined ? {} : { signal };
  const { stores } = deps;
  for (const store of stores) await readRepository(store, options);
  const [first, ...others] = stores;
  const id = await resolveBackup(first, backup, options);
  for (const store of others) await resolveBackup(store, id, options);
  const targets = [];
  for (const store of stores) {
    const changed = marked
      ? await protect(store, id, deps.now(), options)
      : await removeMark(store, id, options);
    targets.push({ location: store.location, changed });
  }
  return { id, targets };
}

/** Whoever removes a backup looks for a mark first, and whoever marks looks afterwards what there is to protect. */
async function protect(store: Store, id: BackupId, now: Date, options: Abortable): Promise<boolean> {
  const changed = await putMark(store, id, now, options);
  if ((await readObjectOrNull(store, backupKey(id, MANIFEST_NAME), options)) !== null) return changed;
  await removeMark(store, id);
  throw new BackupError("BACKUP_MISSING", `backup ${id} was removed from ${store.location} meanwhile`, {
    hint: "mqbackup list shows the backups there are.",
  });
}
