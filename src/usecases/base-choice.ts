import { parseBackupId, type BackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import { keptFrom } from "../domain/holdings.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Store } from "../ports/store.ts";
import { resolveBackup } from "../repository/catalog.ts";
import type { StoredManifest } from "../repository/backup-references.ts";
import { readStoredManifest } from "../repository/manifest-reader.ts";
import { BaseBackup, hinted } from "./base-backup.ts";
import type { BackupReading } from "./backup-reading.ts";
import { newestOfSet } from "./newest-of-set.ts";

export interface BaseChoiceDeps {
  /** As it is. */
  readonly store: Store;
  readonly reading: BackupReading;
  readonly codec: Pick<SegmentCodec, "open">;
}

export interface BaseChoice {
  readonly set: string;
  /** An id or the beginning of one; null: the newest of the set. */
  readonly base: string | null;
  /** What is built on it is encrypted. */
  readonly encrypted: boolean;
}

/** `why`: there is none, in words. */
export type ChosenBase =
  { readonly base: BaseBackup; readonly why: null } | { readonly base: null; readonly why: string };

/**
 * The newest backup of the set, or the one asked for. A newer one that cannot be read may be of the set, so it is not passed over. There
 * is none when the newest is not encrypted and the new one is, or when no key is given to read it and not all that is compared with it is
 * kept on this machine.
 * Throws BACKUP_MISSING, BACKUP_AMBIGUOUS, MANIFEST_DAMAGED, FORMAT_NEWER, KEY_WRONG (keys are given, and do not open it), USAGE (it is of
 * another set, or one of both is encrypted and the other is not).
 */
export async function chooseBase(
  deps: BaseChoiceDeps,
  choice: BaseChoice,
  options: Abortable,
): Promise<ChosenBase> {
  const { store } = deps;
  const { set, base, encrypted } = choice;
  const found = await hinted(async () =>
    base === null ? newestOfSet(store, set, [], options) : named(store, base, set, options),
  );
  if (found === null) return { base: null, why: `there is no backup of set ${set} to build on` };
  const { id, encryption } = found.manifest;
  if (encrypted === (encryption !== undefined)) {
    return encrypted ? opened(deps, parseBackupId(id), options) : plain(deps, found);
  }
  const fact = `backup ${id} is ${encrypted ? "not " : ""}encrypted`;
  if (base === null && encrypted) return { base: null, why: `the newest of set ${set}, ${fact}` };
  throw new BackupError("USAGE", `${fact}, and what would be built on it ${encrypted ? "is" : "is not"}`, {
    hint: "Take a full backup with mqbackup full.",
  });
}

function plain({ store, codec }: BaseChoiceDeps, found: StoredManifest): ChosenBase {
  return { base: new BaseBackup({ store, codec }, found), why: null };
}

async function opened(
  { store, reading, codec }: BaseChoiceDeps,
  id: BackupId,
  options: Abortable,
): Promise<ChosenBase> {
  const source = { store: reading.of(store), codec };
  let readNow = id;
  const read = async (backup: BackupId, neededBy: Manifest | null): Promise<StoredManifest> => {
    readNow = backup;
    return hinted(async () => readStoredManifest(source.store, backup, { ...options, neededBy }));
  };
  try {
    const stored = await read(id, null);
    const { manifest } = stored;
    // Before a queue is touched: without a key not every backup need be readable.
    if (reading.keyless)
      for (const { backup } of keptFrom(manifest)) await read(parseBackupId(backup), manifest);
    return { base: new BaseBackup(source, stored), why: null };
  } catch (error) {
    if (!reading.keyless || !hasCode(error, "KEY_WRONG")) throw error;
    const why = `no key is given to read backup ${readNow}, and this machine has kept nothing of it that could be compared with`;
    return { base: null, why };
  }
}

async function named(store: Store, base: string, set: string, options: Abortable): Promise<StoredManifest> {
  const stored = await readStoredManifest(store, await resolveBackup(store, base, options), options);
  const { manifest } = stored;
  if (manifest.set === set) return stored;
  throw new BackupError("USAGE", `backup ${manifest.id} is of the set ${manifest.set}, not of ${set}`, {
    hint: `Give --set ${JSON.stringify(manifest.set)}, or a base of the set.`,
  });
}
