import type { BackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { BackupKey, Keyring } from "../ports/encryption.ts";
import type { Store } from "../ports/store.ts";
import { backupKey, committedIds, KEY_NAME, MANIFEST_NAME } from "../repository/backup-folder.ts";
import { resolveBackup } from "../repository/catalog.ts";
import { readStoredManifest } from "../repository/manifest-reader.ts";
import { openManifest } from "../repository/manifest-seal.ts";
import { readKeyFile } from "../repository/opened-backup.ts";
import type { UnusableKey } from "./rekey-types.ts";

/** The key of an encrypted backup, which is proven to be its own. */
export interface FoundKey {
  readonly id: BackupId;
  readonly set: string;
  readonly key: BackupKey;
}

export interface FoundKeys {
  readonly encrypted: readonly FoundKey[];
  readonly notEncrypted: readonly BackupId[];
  readonly unusable: readonly UnusableKey[];
}

/** Of the backups asked for; none asked for: of all. Throws KEY_WRONG, USAGE, BACKUP_MISSING, BACKUP_AMBIGUOUS, and as the store. */
export async function readKeys(
  store: Store,
  keyring: Keyring,
  asked: readonly string[],
  options: Abortable,
): Promise<FoundKeys> {
  const encrypted: FoundKey[] = [];
  const notEncrypted: BackupId[] = [];
  const unusable: UnusableKey[] = [];
  for (const id of await wanted(store, asked, options)) {
    try {
      const found = await readKey(store, keyring, id, options);
      if (found === null) notEncrypted.push(id);
      else encrypted.push(found);
    } catch (error) {
      if (hasCode(error, "KEY_WRONG")) throw notOpened(store, error, encrypted.length);
      // Removed since it was listed.
      if (hasCode(error, "OBJECT_MISSING")) continue;
      if (!hasCode(error, "MANIFEST_DAMAGED", "ARCHIVE_DAMAGED", "FORMAT_NEWER")) throw error;
      unusable.push({ id, damage: error });
    }
  }
  const [plain] = asked.length === 0 ? [] : notEncrypted;
  if (plain === undefined) return { encrypted, notEncrypted, unusable };
  throw new BackupError("USAGE", `backup ${plain} at ${store.location} is not encrypted`, {
    hint: "Only the key of an encrypted backup can be encrypted for others.",
  });
}

async function wanted(
  store: Store,
  asked: readonly string[],
  options: Abortable,
): Promise<readonly BackupId[]> {
  if (asked.length === 0) return committedIds(store, options);
  const ids = new Set<BackupId>();
  for (const text of asked) ids.add(await resolveBackup(store, text, options));
  return [...ids];
}

/** null: it is not encrypted. */
async function readKey(
  store: Store,
  keyring: Keyring,
  id: BackupId,
  options: Abortable,
): Promise<FoundKey | null> {
  const { manifest, bytes } = await readStoredManifest(store, id, options);
  if (manifest.encryption === undefined) return null;
  const key = await keyring.open(await readKeyFile(store, id, options), backupKey(id, KEY_NAME), options);
  // Another backup's key in its place would be kept there for good.
  openManifest(bytes, key.secret, backupKey(id, MANIFEST_NAME));
  return { id, set: manifest.set, key };
}

function notOpened({ location }: Store, { message }: BackupError, opened: number): BackupError {
  return new BackupError("KEY_WRONG", `${message} at ${location}`, {
    hint:
      opened === 0
        ? "Say with --identity-file or --passphrase-file what opens the backups now."
        : "Give also what opens this one: after a rekey that was broken off, some open with the new key and some with the old.",
  });
}
