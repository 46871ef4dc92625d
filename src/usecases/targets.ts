import type { BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { ObjectBody, Store } from "../ports/store.ts";
import { backupKey, committedIds } from "../repository/backup-folder.ts";
import { createCatalog, type Catalog, type ClaimRequest } from "../repository/catalog.ts";
import { ifAllowed } from "../repository/removal.ts";
import { Lane } from "./lane.ts";

/** Ids tried until one is free at every target. */
const CLAIM_TRIES = 10;

/** Files on their way to one target at once. */
const PUTS_AT_ONCE = 2;

/**
 * One backup at every target, in two phases: everything durable everywhere, then the manifests, in the order of the targets.
 * Disposing without a commit removes what was put.
 */
export class Targets implements AsyncDisposable {
  readonly id: BackupId;
  readonly #catalogs: readonly [Catalog, ...Catalog[]];
  readonly #lanes: readonly { readonly store: Store; readonly lane: Lane }[];
  #committed = 0;

  private constructor(id: BackupId, catalogs: readonly [Catalog, ...Catalog[]]) {
    this.id = id;
    this.#catalogs = catalogs;
    this.#lanes = catalogs.map(({ store }) => ({ store, lane: new Lane(PUTS_AT_ONCE) }));
  }

  /** Opens or makes the repositories and takes one id at all of them. Throws TARGET_*, FORMAT_NEWER, MANIFEST_DAMAGED. */
  static async claim(
    stores: readonly [Store, ...Store[]],
    request: ClaimRequest & { readonly newRepositoryId: () => string },
    signal: AbortSignal,
  ): Promise<Targets> {
    const open = async (store: Store) =>
      createCatalog(store, { now: request.now, repositoryId: request.newRepositoryId() }, { signal });
    const [firstStore, ...otherStores] = stores;
    const first = await open(firstStore);
    const others: Catalog[] = [];
    for (const store of otherStores) others.push(await open(store));
    for (let attempt = 0; attempt < CLAIM_TRIES; attempt += 1) {
      const id = await first.claim(request, { signal });
      const taken: Catalog[] = [first];
      for (const catalog of others) {
        if (!(await catalog.reserve(id, request.now, { signal }))) break;
        taken.push(catalog);
      }
      if (taken.length === stores.length) return new Targets(id, [first, ...others]);
      for (const catalog of taken) await ifAllowed(async () => catalog.abandon(id));
    }
    throw new BackupError("LEASE_HELD", "no id is free at every target for a backup begun now", {
      hint: "Another run writes to these targets; try again in a moment.",
    });
  }

  /** Durable at every target when it resolves. Each target takes files at its own pace. */
  async put(name: string, body: ObjectBody, signal: AbortSignal): Promise<void> {
    const key = backupKey(this.id, name);
    const puts = this.#lanes.map(async ({ store, lane }) =>
      lane.run(async () => {
        signal.throwIfAborted();
        await store.put(key, body, { signal });
      }),
    );
    const failed = (await Promise.allSettled(puts)).find((put) => put.status === "rejected");
    if (failed) throw failed.reason;
  }

  /**
   * Every backup that holds records for this one must be at every target, or the copy there would not restore.
   * Throws BACKUP_MISSING.
   */
  async requireHolders(manifest: Manifest, signal: AbortSignal): Promise<void> {
    const holders = new Set(
      manifest.queues.flatMap(({ content }) =>
        content.flatMap((range) => (range.kind === "kept" ? [range.backup] : [])),
      ),
    );
    if (holders.size === 0) return;
    for (const { store } of this.#catalogs) {
      const present = new Set<string>(await committedIds(store, { signal }));
      for (const id of holders) {
        if (present.has(id)) continue;
        const message = `backup ${id}, which holds messages of this one, is not at ${store.location}`;
        throw new BackupError("BACKUP_MISSING", message, {
          hint: "Take a full backup with mqbackup full; or build on a backup that is at every target with --base.",
        });
      }
    }
  }

  /** After the first target has it the backup exists, whatever becomes of the others. */
  async commit(manifest: Manifest, onCommitted: (location: string) => void): Promise<void> {
    for (const catalog of this.#catalogs) {
      await catalog.commit(manifest);
      this.#committed += 1;
      onCommitted(catalog.store.location);
    }
  }

  /** Total bytes of the first target's file system; null where it cannot be told. */
  async totalBytes(signal: AbortSignal): Promise<number | null> {
    return (await this.#catalogs[0].store.capacity({ signal }))?.totalBytes ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const catalog of this.#catalogs.slice(this.#committed)) {
      // What cannot be removed now is no backup: no manifest names it, and verify notes it.
      await catalog.abandon(this.id).catch(() => undefined);
    }
  }
}
