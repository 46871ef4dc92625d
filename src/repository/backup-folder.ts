import { compareBackupIds, isBackupId, type BackupId } from "../domain/backup-id.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { ObjectInfo, Store } from "../ports/store.ts";
import { isIndexName, isVolumeName } from "./volume.ts";

const BACKUPS = "backups/";
export const MANIFEST_NAME = "manifest.json";
/** Put first, removed after the commit: it reserves the id, and says of what an interrupted run left when that began. */
export const BEGUN_NAME = "begun.json";
/** While it is there, the backup beside it is not to be removed by any policy. */
export const MARK_NAME = "mark.json";

/** Beside encrypted files: the key of the backup, in an age file for those who may read it. No manifest names it. */
export const KEY_NAME = "key.age";

/** `name` is the key within the folder. */
export type FolderObject = ObjectInfo & { readonly name: string };

/** What lies in the folder of one backup, committed or not. */
export interface BackupFolder {
  readonly id: BackupId;
  /** Its manifest is there: the backup exists. */
  readonly committed: boolean;
  readonly objects: readonly FolderObject[];
}

/** The key of a file of a backup: `backups/20261121-193200F/manifest.json`. */
export function backupKey(id: BackupId, name: string): string {
  return `${folderPrefix(id)}${name}`;
}

export function folderPrefix(id: BackupId): string {
  return `${BACKUPS}${id}/`;
}

/** The name is one that mqbackup gives. Whatever else lies in the folder was put there by others. */
export function isOwnName(name: string): boolean {
  return (
    [MANIFEST_NAME, MARK_NAME, BEGUN_NAME, KEY_NAME].includes(name) || isVolumeName(name) || isIndexName(name)
  );
}

/** The backup and the name within its folder of an object; null: it is of no backup. */
export function placeOf(key: string): { readonly id: BackupId; readonly name: string } | null {
  const [folder = "", ...rest] = key.startsWith(BACKUPS) ? key.slice(BACKUPS.length).split("/") : [];
  return isBackupId(folder) && rest.length > 0 ? { id: folder, name: rest.join("/") } : null;
}

/** The backup that an object is a part of for as long as that exists, and its name there; null: it is not. */
export function lastingPart(key: string): { readonly id: BackupId; readonly name: string } | null {
  if (!key.startsWith(BACKUPS)) return null;
  const [id = "", name = "", ...deeper] = key.slice(BACKUPS.length).split("/");
  const lasts = [MANIFEST_NAME, KEY_NAME].includes(name) || isIndexName(name) || isVolumeName(name);
  return lasts && isBackupId(id) && deeper.length === 0 ? { id, name } : null;
}

/**
 * Every folder with a backup's name, in the order of the listing. Other things at the target are not ours to judge; `onOther` is told
 * of those beside these folders.
 */
export async function* readFolders(
  store: Pick<Store, "list">,
  { onOther, ...options }: Abortable & { readonly onOther?: (object: ObjectInfo) => void } = {},
): AsyncGenerator<BackupFolder> {
  let id: BackupId | null = null;
  let objects: FolderObject[] = [];
  for await (const object of store.list(BACKUPS, options)) {
    const [folder = "", ...rest] = object.key.slice(BACKUPS.length).split("/");
    if (!isBackupId(folder) || rest.length === 0) {
      onOther?.(object);
      continue;
    }
    if (folder !== id) {
      if (id !== null) yield toFolder(id, objects);
      id = folder;
      objects = [];
    }
    objects.push({ ...object, name: rest.join("/") });
  }
  if (id !== null) yield toFolder(id, objects);
}

/** A backup that exists, and whether a mark protects it. */
export interface CommittedBackup {
  readonly id: BackupId;
  readonly marked: boolean;
}

/** All committed backups, oldest first. */
export async function committedBackups(
  store: Pick<Store, "keys">,
  options: Abortable = {},
): Promise<readonly CommittedBackup[]> {
  const ids: BackupId[] = [];
  const marked = new Set<string>();
  for await (const key of store.keys(BACKUPS, options)) {
    const [folder = "", name, ...deeper] = key.slice(BACKUPS.length).split("/");
    if (deeper.length > 0) continue;
    if (name === MANIFEST_NAME && isBackupId(folder)) ids.push(folder);
    if (name === MARK_NAME) marked.add(folder);
  }
  return ids.toSorted(compareBackupIds).map((id) => ({ id, marked: marked.has(id) }));
}

/** Backups that a run has begun and not committed, oldest first. */
export async function unfinishedIds(
  store: Pick<Store, "keys">,
  options: Abortable = {},
): Promise<readonly BackupId[]> {
  const begun = new Set<BackupId>();
  const committed = new Set<BackupId>();
  for await (const key of store.keys(BACKUPS, options)) {
    const [folder = "", name, ...deeper] = key.slice(BACKUPS.length).split("/");
    if (deeper.length > 0 || !isBackupId(folder)) continue;
    if (name === BEGUN_NAME) begun.add(folder);
    if (name === MANIFEST_NAME) committed.add(folder);
  }
  return [...begun].filter((id) => !committed.has(id)).toSorted(compareBackupIds);
}

/** Their ids, oldest first. */
export async function committedIds(
  store: Pick<Store, "keys">,
  options: Abortable = {},
): Promise<readonly BackupId[]> {
  return (await committedBackups(store, options)).map(({ id }) => id);
}

function toFolder(id: BackupId, objects: readonly FolderObject[]): BackupFolder {
  return { id, objects, committed: objects.some(({ name }) => name === MANIFEST_NAME) };
}
