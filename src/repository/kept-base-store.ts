import type { BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { GetOptions, Store } from "../ports/store.ts";
import { backupKey, MANIFEST_NAME, placeOf } from "./backup-folder.ts";
import type { KeptBases, KeptPlace } from "./kept-bases.ts";
import { encodeManifest, manifestOf } from "./manifest-codec.ts";
import { readObject } from "./objects.ts";
import { decodeDocument, MAX_DOCUMENT_BYTES, sealOf } from "./sealed-document.ts";
import { INDEX_NAME } from "./volume.ts";

/**
 * A repository as who has no key reads it on a machine that has kept something of its backups: of those the manifests are the opened ones,
 * and the index the plain one. All else is as in `closed`, the same repository opened without a key: KEY_WRONG for what is encrypted.
 */
export function keptBaseStore(store: Store, closed: Store, bases: KeptBases): Store {
  const kept = new KeptReading(store, closed, bases);
  return { ...closed, get: (key, options) => kept.get(key, options) };
}

class KeptReading {
  readonly #store: Store;
  readonly #closed: Store;
  readonly #bases: KeptBases;
  /** Those whose manifests were read; null: nothing is kept of it, or it is not encrypted. */
  readonly #places = new Map<BackupId, KeptPlace | null>();

  constructor(store: Store, closed: Store, bases: KeptBases) {
    this.#store = store;
    this.#closed = closed;
    this.#bases = bases;
  }

  get(key: string, options: GetOptions = {}): AsyncIterable<Uint8Array> {
    const place = placeOf(key);
    if (place?.name === MANIFEST_NAME) return this.#manifest(place.id, options);
    if (place?.name === INDEX_NAME) return this.#index(place.id, options);
    return this.#closed.get(key, options);
  }

  async *#manifest(id: BackupId, options: GetOptions): AsyncGenerator<Uint8Array> {
    const manifest = await this.#find(id, options);
    if (manifest === null) yield* this.#closed.get(backupKey(id, MANIFEST_NAME), options);
    else yield encodeManifest(manifest);
  }

  async *#index(id: BackupId, options: GetOptions): AsyncGenerator<Uint8Array> {
    if (!this.#places.has(id)) await this.#find(id, options);
    const place = this.#places.get(id) ?? null;
    if (place === null) yield* this.#closed.get(backupKey(id, INDEX_NAME), options);
    else yield* this.#bases.index(place, options);
  }

  /** By the manifest as it is stored now. */
  async #find(id: BackupId, { signal }: Abortable): Promise<Manifest | null> {
    const options = signal === undefined ? {} : { signal };
    const key = backupKey(id, MANIFEST_NAME);
    const bytes = await readObject(this.#store, key, { ...options, maxBytes: MAX_DOCUMENT_BYTES });
    const content = decodeDocument(bytes, key);
    this.#places.set(id, null);
    if (content["encryption"] === undefined) return null;
    const place = { id, set: manifestOf(content, key).set, seal: sealOf(bytes) };
    try {
      const manifest = await this.#bases.find(place, options);
      if (manifest !== null) this.#places.set(id, place);
      return manifest;
    } catch (error) {
      // What cannot be read here is as if it had not been kept: the target is not to blame.
      if (!(error instanceof BackupError)) throw error;
      return null;
    }
  }
}
