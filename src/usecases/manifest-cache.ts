import type { BackupId } from "../domain/backup-id.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { readManifest } from "../repository/catalog.ts";

/** A manifest may have a megabyte, and a chain a thousand of them. */
const KEPT_MANIFESTS = 32;

/** Manifests of one target, the last ones asked for kept in memory. */
export class ManifestCache {
  readonly #store: Pick<Store, "get">;
  readonly #options: Abortable;
  readonly #kept = new Map<BackupId, Manifest>();

  constructor(store: Pick<Store, "get">, options: Abortable) {
    this.#store = store;
    this.#options = options;
  }

  /** Throws as `readManifest`. */
  async get(id: BackupId): Promise<Manifest> {
    const manifest = this.#kept.get(id) ?? (await readManifest(this.#store, id, this.#options));
    this.#kept.delete(id);
    this.#kept.set(id, manifest);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_MANIFESTS && oldest !== undefined) this.#kept.delete(oldest);
    return manifest;
  }
}
