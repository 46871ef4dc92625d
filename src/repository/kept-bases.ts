import { createHash } from "node:crypto";
import type { BackupId } from "../domain/backup-id.ts";
import { hasCode } from "../domain/errors.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { GetOptions, ObjectBody, Store } from "../ports/store.ts";
import { MANIFEST_NAME } from "./backup-folder.ts";
import { decodeManifest, encodeManifest } from "./manifest-codec.ts";
import { bytesBody, readObject } from "./objects.ts";
import { MAX_DOCUMENT_BYTES } from "./sealed-document.ts";
import { INDEX_NAME } from "./volume.ts";

/** Which backup of a set, as it is stored. */
export interface KeptPlace {
  readonly set: string;
  readonly id: BackupId;
  /** Of the manifest as it is stored: of another one in its place nothing is found. */
  readonly seal: string;
}

/**
 * Of encrypted backups that were made on this machine the opened manifest and the plain index, so that an incremental can be compared with
 * them where no key is. No message is among it.
 */
export class KeptBases {
  readonly #store: Store;
  /** Folders of those that were found whole. */
  readonly #whole = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Of an opened manifest, and the file it names as its index. Throws TARGET_*, and as `index`. */
  async keep(manifest: Manifest, index: ObjectBody): Promise<void> {
    const folder = folderOf(manifest.set, manifest.stored?.sha256 ?? "");
    await this.#store.put(`${folder}${INDEX_NAME}`, index);
    await this.#store.put(`${folder}${MANIFEST_NAME}`, bytesBody(encodeManifest(manifest)));
  }

  /** The opened manifest. null: there is none of exactly this backup, or not all that belongs to it is as it was. Throws TARGET_*. */
  async find(place: KeptPlace, options: Abortable): Promise<Manifest | null> {
    const folder = folderOf(place.set, place.seal);
    const key = `${folder}${MANIFEST_NAME}`;
    try {
      const bytes = await readObject(this.#store, key, { ...options, maxBytes: MAX_DOCUMENT_BYTES });
      const manifest = decodeManifest(bytes, key);
      const isIts = manifest.id === place.id && manifest.stored?.sha256 === place.seal;
      return isIts && (await this.#isWhole(folder, manifest, options)) ? manifest : null;
    } catch (error) {
      if (hasCode(error, "OBJECT_MISSING", "MANIFEST_DAMAGED", "FORMAT_NEWER")) return null;
      throw error;
    }
  }

  /** Plain bytes of one that was found. Throws as `Store.get`. */
  index({ set, seal }: KeptPlace, options: GetOptions): AsyncIterable<Uint8Array> {
    return this.#store.get(`${folderOf(set, seal)}${INDEX_NAME}`, options);
  }

  /** All of the set that were kept before `before`, but for those with these seals. Throws TARGET_*. */
  async removeOthers(set: string, seals: ReadonlySet<string>, before: Date): Promise<void> {
    const prefix = prefixOf(set);
    const old: string[] = [];
    for await (const { key, modifiedAt } of this.#store.list(prefix)) {
      const [seal = ""] = key.slice(prefix.length).split("/");
      if (!seals.has(seal) && modifiedAt < before) old.push(key);
    }
    for (const key of old) await this.#store.delete(key);
  }

  /** Before anything is built on it: what the index has is read in pieces later, when queues are about to be held. */
  async #isWhole(folder: string, { index }: Manifest, options: Abortable): Promise<boolean> {
    if (this.#whole.has(folder)) return true;
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const part of this.#store.get(`${folder}${INDEX_NAME}`, options)) {
      hash.update(part);
      bytes += part.length;
    }
    if (bytes !== index.bytes || hash.digest("hex") !== index.sha256) return false;
    this.#whole.add(folder);
    return true;
  }
}

function folderOf(set: string, seal: string): string {
  return `${prefixOf(set)}${seal}/`;
}

function prefixOf(set: string): string {
  return `bases/${createHash("sha256").update(set).digest("hex")}/`;
}
