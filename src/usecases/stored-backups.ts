import { parseBackupId, type BackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import { storedFilesOf, type Manifest, type VolumeEntry } from "../domain/manifest.ts";
import type { RetentionBackup } from "../domain/retention.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { isOwnName, KEY_NAME, MANIFEST_NAME, MARK_NAME, readFolders } from "../repository/backup-folder.ts";
import type { BackupFolder, FolderObject } from "../repository/backup-folder.ts";
import { readManifest } from "../repository/manifest-reader.ts";

/** A committed backup: what its manifest says that matters for keeping it, and what lies in its folder. */
export interface StoredBackup extends RetentionBackup {
  /** Messages were removed from their queues after it was committed. */
  readonly drain: boolean;
  /** Of its own objects, as stored. */
  readonly bytes: number;
  /** Its own objects: named as mqbackup names them. */
  readonly objects: readonly FolderObject[];
  /** Those of them that it does not need: it does not name them. */
  readonly unnamed: readonly FolderObject[];
  /** Files and backups that it needs and that are not there, or of another size. */
  readonly missing: readonly string[];
}

/** All that is below `backups/` at one target. */
export interface StoredBackups {
  readonly backups: readonly StoredBackup[];
  /** Without a manifest: of runs at work, or of interrupted ones. Own objects only. */
  readonly unfinished: readonly BackupFolder[];
  /** Keys of objects that are not mqbackup's. */
  readonly foreign: readonly string[];
}

/** Manifests never change, so what they say can be kept from one reading to the next. */
export type KnownManifests = Map<BackupId, ManifestFacts>;

interface ManifestFacts extends Omit<RetentionBackup, "id" | "marked"> {
  readonly drain: boolean;
  readonly files: readonly VolumeEntry[];
  /** Its key lies beside its files. */
  readonly encrypted: boolean;
}

/** Throws MANIFEST_DAMAGED, FORMAT_NEWER: what such a backup needs of others is not known. And TARGET_*. */
export async function readStoredBackups(
  store: Store,
  known: KnownManifests,
  options: Abortable = {},
): Promise<StoredBackups> {
  const foreign: string[] = [];
  const committed: BackupFolder[] = [];
  const unfinished: BackupFolder[] = [];
  for await (const folder of readFolders(store, { ...options, onOther: ({ key }) => foreign.push(key) })) {
    foreign.push(...folder.objects.filter(({ name }) => !isOwnName(name)).map(({ key }) => key));
    const own = { ...folder, objects: folder.objects.filter(({ name }) => isOwnName(name)) };
    if (own.objects.length > 0) (folder.committed ? committed : unfinished).push(own);
  }
  const folders = new Map<BackupId, { readonly folder: BackupFolder; readonly facts: ManifestFacts }>();
  for (const folder of committed) {
    const facts = known.get(folder.id) ?? (await readFacts(store, folder.id, options));
    if (facts === null) continue;
    known.set(folder.id, facts);
    folders.set(folder.id, { folder, facts });
  }
  const lacks = new Map([...folders].map(([id, each]) => [id, missingFiles(each.folder, each.facts)]));
  const backups = [...folders.values()].map(({ folder, facts }) => {
    const holders = [...facts.kept.keys()].flatMap((id) => lacks.get(id) ?? [`backup ${id}`]);
    return storedBackup(folder, facts, [...(lacks.get(folder.id) ?? []), ...holders]);
  });
  return { backups, unfinished, foreign };
}

/** null: it was removed since it was listed. */
async function readFacts(store: Store, id: BackupId, options: Abortable): Promise<ManifestFacts | null> {
  try {
    return factsOf(await readManifest(store, id, options));
  } catch (error) {
    if (hasCode(error, "OBJECT_MISSING")) return null;
    if (!hasCode(error, "MANIFEST_DAMAGED")) throw error;
    throw new BackupError(error.code, `what may be removed cannot be known: ${error.message}`, {
      hint: `Take that file from another copy of the repository. When the backup is lost, remove ${id}/manifest.json by hand.`,
      cause: error,
    });
  }
}

function factsOf(manifest: Manifest): ManifestFacts {
  const { set, kind, startedAt, drain, queues } = manifest;
  const kept = new Map<BackupId, number>();
  for (const range of queues.flatMap(({ content }) => content)) {
    if (range.kind === "new") continue;
    const holder = parseBackupId(range.backup);
    kept.set(holder, (kept.get(holder) ?? 0) + range.count);
  }
  const complete = queues.every(({ outcome }) => outcome === "complete");
  return {
    set,
    kind,
    startedAt: new Date(startedAt),
    drain,
    complete,
    kept,
    files: storedFilesOf(manifest),
    encrypted: manifest.encryption !== undefined,
  };
}

function missingFiles({ id, objects }: BackupFolder, { files, encrypted }: ManifestFacts): readonly string[] {
  const sizes = new Map(objects.map(({ name, bytes }) => [name, bytes]));
  const missing = files.filter(({ name, bytes }) => sizes.get(name) !== bytes).map(({ name }) => name);
  if (encrypted && !sizes.has(KEY_NAME)) missing.push(KEY_NAME);
  return missing.map((name) => `${id}/${name}`);
}

function storedBackup(
  { id, objects }: BackupFolder,
  { files, encrypted, ...facts }: ManifestFacts,
  missing: readonly string[],
): StoredBackup {
  const key = encrypted ? [KEY_NAME] : [];
  const named = new Set([MANIFEST_NAME, MARK_NAME, ...key, ...files.map(({ name }) => name)]);
  return {
    ...facts,
    id,
    complete: facts.complete && missing.length === 0,
    marked: objects.some(({ name }) => name === MARK_NAME),
    bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
    objects,
    unnamed: objects.filter(({ name }) => !named.has(name)),
    missing,
  };
}
