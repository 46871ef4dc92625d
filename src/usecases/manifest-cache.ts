import type { BackupId } from "../domain/backup-id.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import type { StoredManifest } from "../repository/backup-references.ts";
import { readStoredManifest } from "../repository/manifest-reader.ts";

/** A manifest may have a megabyte, and a chain a thousand of them. */
const KEPT_MANIFESTS = 32;

/** Manifests of one target, the last ones asked for kept in memory. */
export class ManifestCache {
  readonly #store: Pick<Store, "get">;
  readonly #options: Abortable;
  readonly #kept = new Map<BackupId, StoredManifest>();

  constructor(store: Pick<Store, "get">, options: Abortable) {
    this.#store = store;
    this.#options = options;
  }

  /** Throws as `readStoredManifest`. */
  async get(id: BackupId, neededBy: Manifest | null = null): Promise<StoredManifest> {
    const stored = this.#kept.get(id) ?? (await this.#read(id, neededBy));
    this.#kept.delete(id);
    this.#kept.set(id, stored);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_MANIFESTS && oldest !== undefined) this.#kept.delete(oldest);
    return stored;
  }

  async #read(id: BackupId, neededBy: Manifest | null): Promise<StoredManifest> {
    const { manifest, seal } = await readStoredManifest(this.#store, id, { ...this.#options, neededBy });
    return { manifest, seal };
  }
}
