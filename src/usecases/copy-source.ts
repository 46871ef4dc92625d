import { parseBackupId, type BackupId } from "../domain/backup-id.ts";
import { hasCode } from "../domain/errors.ts";
import type { VolumeEntry } from "../domain/manifest.ts";
import { keptFrom } from "../domain/holdings.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { committedBackups, KEY_NAME, type CommittedBackup } from "../repository/backup-folder.ts";
import { sha256Of } from "../repository/checksum.ts";
import { readKeyFile } from "../repository/opened-backup.ts";
import { resolveBackup } from "../repository/catalog.ts";
import { readStoredManifest } from "../repository/manifest-reader.ts";
import { mapAtOnce } from "./at-once.ts";
import type { SourceBackup, UnusableSource } from "./copy-types.ts";

/** Manifests read at once. */
export const READ_AT_ONCE = 8;

interface SourceBackups {
  readonly backups: readonly SourceBackup[];
  readonly unusable: readonly UnusableSource[];
}

/**
 * The backups asked for and, down to the last, those that hold messages of them; none asked for: all.
 * Throws BACKUP_MISSING, BACKUP_AMBIGUOUS, TARGET_*.
 */
export async function readSources(
  store: Store,
  asked: readonly string[],
  options: Abortable,
): Promise<SourceBackups> {
  const committed = new Map((await committedBackups(store, options)).map((each) => [each.id, each]));
  let wanted: readonly BackupId[] = [...committed.keys()];
  if (asked.length > 0) {
    const resolved = [];
    for (const text of asked) resolved.push(await resolveBackup(store, text, options));
    wanted = resolved;
  }
  const backups: SourceBackup[] = [];
  const unusable: UnusableSource[] = [];
  const seen = new Set<BackupId>();
  while (wanted.length > 0) {
    const round = [...new Set(wanted)].flatMap((id) => committed.get(id) ?? []);
    for (const { id } of round) seen.add(id);
    const found = await mapAtOnce(round, READ_AT_ONCE, async (each) => readSource(store, each, options));
    for (const each of found) {
      if (each === null) continue;
      if ("damage" in each) unusable.push(each);
      else backups.push(each);
    }
    wanted = found
      .flatMap((each) => (each !== null && "needs" in each ? each.needs : []))
      .filter((id) => !seen.has(id));
  }
  return { backups, unusable };
}

/** null: removed since it was listed. */
async function readSource(
  store: Store,
  { id, marked }: CommittedBackup,
  options: Abortable,
): Promise<SourceBackup | UnusableSource | null> {
  try {
    const { manifest, seal } = await readStoredManifest(store, id, options);
    const { set, startedAt, volumes, index } = manifest;
    const key = manifest.encryption === undefined ? [] : [await keyEntry(store, id, options)];
    const needs = keptFrom(manifest).map(({ backup }) => parseBackupId(backup));
    return { id, set, startedAt, files: [...volumes, index, ...key], needs, marked, seal };
  } catch (error) {
    if (hasCode(error, "OBJECT_MISSING")) return null;
    if (hasCode(error, "MANIFEST_DAMAGED", "ARCHIVE_DAMAGED", "FORMAT_NEWER")) return { id, damage: error };
    throw error;
  }
}

/** No manifest has its size and checksum: it changes when those change who may read. */
async function keyEntry(store: Store, id: BackupId, options: Abortable): Promise<VolumeEntry> {
  const bytes = await readKeyFile(store, id, options);
  return { name: KEY_NAME, bytes: bytes.length, sha256: sha256Of(bytes) };
}
