import { parseBackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { backupKey, KEY_NAME } from "../repository/backup-folder.ts";
import { readKeyFile } from "../repository/opened-backup.ts";
import type { BackupEncryption } from "./backup-sealing.ts";
import { newestOfSet } from "./newest-of-set.ts";

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
  // One that is damaged says nothing of the others, and keeps no full backup from being taken.
  const found = await newestOfSet(store, set, ["MANIFEST_DAMAGED", "FORMAT_NEWER"], options);
  const newest = found?.manifest;
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
