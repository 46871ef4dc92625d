import { compareBackupIds, parseBackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { backupKey, committedIds, KEY_NAME } from "../repository/backup-folder.ts";
import { readManifest } from "../repository/manifest-reader.ts";
import { readKeyFile } from "../repository/opened-backup.ts";
import type { BackupEncryption } from "./backup-sealing.ts";

/**
 * A set whose newest backup is encrypted gets none that is not: whoever leaves an option away by mistake is told. And a passphrase that
 * is not the one of the newest backup makes none that nobody could open.
 * Throws USAGE, KEY_WRONG, and as the store.
 */
export async function requireSameEncryption(
  store: Store,
  set: string,
  encryption: BackupEncryption | null,
  options: Abortable,
): Promise<void> {
  const newest = await newestReadable(store, set, options);
  if (newest?.encryption === undefined) return;
  if (encryption === null) {
    throw new BackupError(
      "USAGE",
      `the newest backup of set ${set}, ${newest.id}, is encrypted, and this one would not be`,
      {
        hint: "Say who may read it with --recipient; or put what is not to be encrypted into another --set.",
      },
    );
  }
  if (encryption.proof === null) return;
  const id = parseBackupId(newest.id);
  try {
    await encryption.proof.open(await readKeyFile(store, id, options), backupKey(id, KEY_NAME), options);
  } catch (error) {
    // Of this one nothing can be proven; verify finds it.
    if (!hasCode(error, "ARCHIVE_DAMAGED", "OBJECT_MISSING")) throw error;
  }
}

/** null: the set has none. One that is damaged says nothing of the others, and keeps no full backup from being taken. */
async function newestReadable(store: Store, set: string, options: Abortable): Promise<Manifest | null> {
  for (const id of (await committedIds(store, options)).toSorted(compareBackupIds).toReversed()) {
    try {
      const manifest = await readManifest(store, id, options);
      if (manifest.set === set) return manifest;
    } catch (error) {
      if (!hasCode(error, "OBJECT_MISSING", "MANIFEST_DAMAGED", "FORMAT_NEWER")) throw error;
    }
  }
  return null;
}
