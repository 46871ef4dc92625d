import type { BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { BackupKey, KeyMaker } from "../ports/encryption.ts";
import type { Store } from "../ports/store.ts";
import { backupKey, committedIds, KEY_NAME } from "../repository/backup-folder.ts";
import { bytesBody } from "../repository/objects.ts";
import { readRepository } from "../repository/repository-document.ts";
import { readKeys, type FoundKey, type FoundKeys } from "./rekey-keys.ts";
import type { RekeyDeps, RekeyedAt, RekeyRequest, RekeyResult } from "./rekey-types.ts";
import { setBySet } from "./set-by-set.ts";
import { withLease } from "./with-lease.ts";

/**
 * Encrypts the keys of encrypted backups for others than before, at each target by itself: who opened them before opens them no more,
 * unless he is named again. Nothing else of a backup changes. Every key is opened before the first is written; each is put as a whole,
 * so a backup is always readable for those of before or for those of now, wherever it is broken off. What is left is in the result.
 * Throws KEY_WRONG (a backup is opened by none), USAGE (one asked for is not encrypted), BACKUP_MISSING, BACKUP_AMBIGUOUS,
 * REPOSITORY_MISSING, FORMAT_NEWER, MANIFEST_DAMAGED, TARGET_*: then nothing was written.
 */
export async function rekey(
  deps: RekeyDeps,
  request: RekeyRequest,
  signal: AbortSignal,
): Promise<RekeyResult> {
  const found: { readonly store: Store; readonly keys: FoundKeys }[] = [];
  for (const store of deps.stores) {
    await readRepository(store, { signal });
    found.push({ store, keys: await readKeys(store, deps.keyring, request.backups, { signal }) });
  }
  const wrapped = wrappingOnce(deps.keys);
  const targets: RekeyedAt[] = [];
  for (const { store, keys } of found)
    targets.push(await rekeyAt({ deps, store, wrapped, request }, keys, signal));
  return { dryRun: request.dryRun, targets };
}

interface Work {
  readonly deps: RekeyDeps;
  readonly store: Store;
  readonly wrapped: (key: BackupKey, options: Abortable) => Promise<Uint8Array>;
  readonly request: RekeyRequest;
}

async function rekeyAt(work: Work, found: FoundKeys, signal: AbortSignal): Promise<RekeyedAt> {
  const { encrypted, notEncrypted, unusable } = found;
  const done = new Set<BackupId>();
  let failure: BackupError | null = null;
  try {
    failure = await setBySet(new Set(encrypted.map((each) => each.set)), async (set) => {
      const ofSet = encrypted.filter((each) => each.set === set);
      await rekeySet(work, set, ofSet, (id) => done.add(id), signal);
    });
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    failure = error;
  }
  const ids = encrypted.map(({ id }) => id);
  const [rekeyed, left] = [ids.filter((id) => done.has(id)), ids.filter((id) => !done.has(id))];
  return { location: work.store.location, rekeyed, left, notEncrypted, unusable, failure };
}

async function rekeySet(
  { deps, store, wrapped, request }: Work,
  set: string,
  keys: readonly FoundKey[],
  onDone: (id: BackupId) => void,
  signal: AbortSignal,
): Promise<void> {
  if (request.dryRun) {
    for (const { id } of keys) onDone(id);
    return;
  }
  const wish = { stores: [store], set, command: "rekey", breakLease: request.breakLease };
  await withLease(deps, wish, signal, async (held) => {
    const options = { signal: held.signal };
    const there = new Set(await committedIds(store, options));
    for (const { id, key } of keys) {
      const keyFile = await wrapped(key, options);
      held.signal.throwIfAborted();
      // Of one that was removed meanwhile nothing may be left.
      if (there.has(id)) await store.put(backupKey(id, KEY_NAME), bytesBody(keyFile), options);
      onDone(id);
    }
  });
}

/** The same file for every target: copies stay copies. */
function wrappingOnce(keys: KeyMaker): Work["wrapped"] {
  const files = new Map<string, Uint8Array>();
  return async (key, options) => {
    const name = Buffer.from(key.secret).toString("hex");
    const file = files.get(name) ?? (await keys.wrap(key, options));
    files.set(name, file);
    return file;
  };
}
