import { parseBackupId, type BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import { keptFrom } from "../domain/holdings.ts";
import type { Manifest } from "../domain/manifest.ts";
import { DAY_MS, lasts, type ObjectLock } from "../domain/object-lock.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { ObjectLocks, Store } from "../ports/store.ts";
import { backupKey, folderPrefix, lastingPart, MANIFEST_NAME } from "../repository/backup-folder.ts";
import { decodeManifest } from "../repository/manifest-codec.ts";
import { readBody } from "../repository/objects.ts";
import { mapAtOnce } from "./at-once.ts";

/** Requests on their way at once. */
const AT_ONCE = 16;

/**
 * The same store, where everything a backup consists of is put with this lock: manifests, volumes, indexes; not what reserves an id, nor
 * marks and leases. Before a manifest is put, what lies in other backups and belongs to this one is locked at least as long.
 * Throws TARGET_REFUSED for a store that cannot lock.
 */
export async function lockedStore(store: Store, lock: ObjectLock, options: Abortable): Promise<Store> {
  const { locks } = store;
  if (locks === undefined) {
    throw new BackupError("TARGET_REFUSED", `${store.location} cannot lock what it keeps`, {
      hint: "Only buckets of S3 made with object lock can; leave --lock-days away, or name only such targets.",
    });
  }
  await locks.check(options);
  return {
    ...store,
    put: async (key, body, putOptions = {}) => {
      const part = lastingPart(key);
      if (part === null) return store.put(key, body, putOptions);
      if (part.name === MANIFEST_NAME) {
        const manifest = decodeManifest(await readBody(body), key);
        await lockHolders({ store, locks, lock }, manifest, putOptions);
      }
      await store.put(key, body, { ...putOptions, lock });
    },
  };
}

interface Locking {
  readonly store: Store;
  readonly locks: ObjectLocks;
  readonly lock: ObjectLock;
}

/** The manifest of a holder is locked last: where that lasts, everything of it does, and one look is enough. */
async function lockHolders(locking: Locking, manifest: Manifest, options: Abortable): Promise<void> {
  const { locks, lock } = locking;
  const holders = keptFrom(manifest).map(({ backup }) => parseBackupId(backup));
  await mapAtOnce(holders, AT_ONCE, async (id) => {
    const own = backupKey(id, MANIFEST_NAME);
    if (lasts(await locks.of(own, options), lock.until)) return;
    for (const key of await filesOf(locking, id, options)) await lengthen(locking, key, options);
    await lengthen(locking, own, options);
  });
}

/** A day more than is needed: so that it is not to be done again for each of the backups of a day. The mode of a lock stays as it is. */
async function lengthen({ locks, lock }: Locking, key: string, options: Abortable): Promise<void> {
  const found = await locks.of(key, options);
  if (lasts(found, lock.until)) return;
  const until = new Date(lock.until.getTime() + DAY_MS);
  await locks.extend(key, { mode: found?.mode ?? lock.mode, until }, options);
}

async function filesOf({ store }: Locking, id: BackupId, options: Abortable): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of store.keys(folderPrefix(id), options)) {
    const part = lastingPart(key);
    if (part !== null && part.name !== MANIFEST_NAME) keys.push(key);
  }
  return keys;
}
