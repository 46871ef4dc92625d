import type { BackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { Manifest, VolumeEntry } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { BackupKey, Keyring } from "../ports/encryption.ts";
import type { GetOptions, Store } from "../ports/store.ts";
import { backupKey, KEY_NAME, MANIFEST_NAME } from "./backup-folder.ts";
import { openManifest } from "./manifest-seal.ts";
import { readObject, readObjectOrNull } from "./objects.ts";
import { damaged } from "./sealed-document.ts";

/** Many times what one for hundreds of recipients has. */
const MAX_KEY_BYTES = 1024 * 1024;

/** An encrypted backup of which the key is known. */
export class OpenedBackup {
  readonly #store: Pick<Store, "get">;
  readonly #id: BackupId;
  readonly #key: BackupKey;
  /** As stored, by the names of the plain ones. */
  #files: ReadonlyMap<string, VolumeEntry> = new Map();

  private constructor(store: Pick<Store, "get">, id: BackupId, key: BackupKey) {
    this.#store = store;
    this.#id = id;
    this.#key = key;
  }

  /**
   * Throws KEY_WRONG, ARCHIVE_DAMAGED (its key is damaged or missing), OBJECT_MISSING (it is gone altogether), and as the store.
   */
  static async open(
    store: Pick<Store, "get">,
    id: BackupId,
    keyring: Keyring,
    options: Abortable,
  ): Promise<OpenedBackup> {
    const name = backupKey(id, KEY_NAME);
    const keyFile = await readKeyFile(store, id, options);
    return new OpenedBackup(store, id, await keyring.open(keyFile, name, options));
  }

  /** Of the bytes of its sealed manifest. Throws as `openManifest`. */
  manifest(bytes: Uint8Array): Manifest {
    const manifest = openManifest(bytes, this.#key.secret, backupKey(this.#id, MANIFEST_NAME));
    const plain = [...manifest.volumes, manifest.index];
    this.#files = new Map(manifest.stored?.files.map((file, at) => [plain[at]?.name ?? "", file]));
    return manifest;
  }

  /** A file of the opened manifest, or a range of it. null: it has none of this name. Throws as `BackupKey.decrypt`. */
  read(name: string, { range, ...options }: GetOptions = {}): AsyncIterable<Uint8Array> | null {
    const file = this.#files.get(name);
    if (file === undefined) return null;
    const key = backupKey(this.#id, file.name);
    return this.#key.decrypt(
      {
        name: key,
        bytes: file.bytes,
        read: (stored) => this.#store.get(key, stored === null ? options : { ...options, range: stored }),
      },
      range === undefined ? {} : { range },
    );
  }

  /** Bytes of the plain file of one that is stored in so many; null: none is. */
  plainBytes(storedBytes: number): number | null {
    return this.#key.plainBytes(storedBytes);
  }
}

/** Throws ARCHIVE_DAMAGED (it is missing), OBJECT_MISSING (so is the backup: who removes one removes the manifest first), and as the store. */
export async function readKeyFile(
  store: Pick<Store, "get">,
  id: BackupId,
  options: Abortable,
): Promise<Uint8Array> {
  const key = backupKey(id, KEY_NAME);
  try {
    return await readObject(store, key, { ...options, maxBytes: MAX_KEY_BYTES });
  } catch (error) {
    if (!hasCode(error, "OBJECT_MISSING")) throw error;
    const manifest = await readObjectOrNull(store, backupKey(id, MANIFEST_NAME), options);
    if (manifest === null) throw error;
    throw new BackupError("ARCHIVE_DAMAGED", `${key} is missing: without it backup ${id} cannot be read`, {
      hint: "Take it from another copy of the repository.",
      cause: error,
    });
  }
}

/** A manifest that is not sealed where a key was given: somebody may have put it in the place of one that is. */
export function notEncrypted(id: BackupId): BackupError {
  const { message } = damaged(backupKey(id, MANIFEST_NAME), "it is of a backup that is not encrypted");
  return new BackupError("MANIFEST_DAMAGED", message, {
    hint: "A backup that never was encrypted is read without an identity and a passphrase.",
  });
}
