import type { BackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Keyring } from "../ports/encryption.ts";
import type { GetOptions, ObjectInfo, Store } from "../ports/store.ts";
import { backupKey, MANIFEST_NAME, placeOf } from "./backup-folder.ts";
import { encodeManifest } from "./manifest-codec.ts";
import { readObject } from "./objects.ts";
import { notEncrypted, OpenedBackup } from "./opened-backup.ts";
import { decodeDocument, MAX_DOCUMENT_BYTES } from "./sealed-document.ts";
import { ENCRYPTED, isIndexName, isVolumeName } from "./volume.ts";

/**
 * A repository as who has the keys reads it: of encrypted backups the manifests are the opened ones, and files the plain ones by name
 * and size; of a range no more is read than what holds it. For reading alone.
 * `get` of what is encrypted throws KEY_WRONG when nothing opens it, and of what is not MANIFEST_DAMAGED when keys are given.
 */
export function openedStore(store: Store, keyring: Keyring): Store {
  const opening = new Opening(store, keyring);
  return {
    location: store.location,
    get: (key, options) => opening.get(key, options),
    list: (prefix, options) => opening.list(prefix, options),
    async *keys(prefix, options) {
      for await (const key of store.keys(prefix, options)) yield plainKey(key);
    },
    capacity: async (options) => store.capacity(options),
    put: async (key) => Promise.reject(readOnly(key)),
    delete: async (key) => Promise.reject(readOnly(key)),
  };
}

class Opening {
  readonly #store: Store;
  readonly #keyring: Keyring;
  /** Those whose keys were read. */
  readonly #keys = new Map<BackupId, Promise<OpenedBackup>>();
  /** Those whose manifests were read; null: not encrypted. */
  readonly #backups = new Map<BackupId, OpenedBackup | null>();

  constructor(store: Store, keyring: Keyring) {
    this.#store = store;
    this.#keyring = keyring;
  }

  get(key: string, options: GetOptions = {}): AsyncIterable<Uint8Array> {
    const place = placeOf(key);
    if (place?.name === MANIFEST_NAME) return this.#manifest(place.id, options);
    if (place !== null && isFileName(place.name)) return this.#file(place.id, place.name, options);
    return this.#store.get(key, options);
  }

  async *list(prefix: string, options: Abortable = {}): AsyncGenerator<ObjectInfo> {
    for await (const object of this.#store.list(prefix, options)) {
      const place = placeOf(object.key);
      const key = plainKey(object.key);
      const bytes =
        place === null || key === object.key ? null : await this.#plainBytes(place.id, object, options);
      yield bytes === null ? object : { ...object, key, bytes };
    }
  }

  async *#manifest(id: BackupId, options: Abortable): AsyncGenerator<Uint8Array> {
    yield await this.#readManifest(id, options);
  }

  /** The document of the opened manifest, or as it is stored where it is not encrypted. */
  async #readManifest(id: BackupId, { signal }: Abortable): Promise<Uint8Array> {
    const options = signal === undefined ? {} : { signal };
    const key = backupKey(id, MANIFEST_NAME);
    const stored = await readObject(this.#store, key, { ...options, maxBytes: MAX_DOCUMENT_BYTES });
    return this.#open(id, stored, options);
  }

  async *#file(id: BackupId, name: string, options: GetOptions): AsyncGenerator<Uint8Array> {
    if (!this.#backups.has(id)) await this.#readManifest(id, options);
    const backup = this.#backups.get(id) ?? null;
    const key = backupKey(id, name);
    const bytes = backup === null ? this.#store.get(key, options) : backup.read(name, options);
    if (bytes === null)
      throw new BackupError("OBJECT_MISSING", `there is no ${key} at ${this.#store.location}`);
    yield* bytes;
  }

  async #open(id: BackupId, stored: Uint8Array, options: Abortable): Promise<Uint8Array> {
    const { encryption } = decodeDocument(stored, backupKey(id, MANIFEST_NAME));
    if (encryption === undefined) {
      if (!this.#keyring.empty) throw notEncrypted(id);
      this.#backups.set(id, null);
      return stored;
    }
    const backup = await this.#keyOf(id, options);
    const manifest = backup.manifest(stored);
    this.#backups.set(id, backup);
    return encodeManifest(manifest);
  }

  #keyOf(id: BackupId, options: Abortable): Promise<OpenedBackup> {
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    const opening = OpenedBackup.open(this.#store, id, this.#keyring, options);
    this.#keys.set(id, opening);
    opening.catch(() => this.#keys.delete(id));
    return opening;
  }

  /** null: it cannot be told; who reads the manifest is told why. */
  async #plainBytes(id: BackupId, { bytes }: ObjectInfo, options: Abortable): Promise<number | null> {
    try {
      return (await this.#keyOf(id, options)).plainBytes(bytes);
    } catch (error) {
      if (hasCode(error, "KEY_WRONG", "ARCHIVE_DAMAGED", "OBJECT_MISSING")) return null;
      throw error;
    }
  }
}

function isFileName(name: string): boolean {
  return isVolumeName(name) || isIndexName(name);
}

/** That of the plain file, where it is one of an encrypted one. */
function plainKey(key: string): string {
  const name = placeOf(key)?.name ?? "";
  return isFileName(name) && name.endsWith(ENCRYPTED) ? key.slice(0, -ENCRYPTED.length) : key;
}

function readOnly(key: string): BackupError {
  return new BackupError("INTERNAL", `${key} is not written where encrypted backups are read`);
}
