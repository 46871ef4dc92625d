import type { BackupId } from "../domain/backup-id.ts";
import { hasCode } from "../domain/errors.ts";
import { FORMAT } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { backupKey, MARK_NAME } from "./backup-folder.ts";
import { bytesBody, readObjectOrNull } from "./objects.ts";
import { encodeDocument } from "./sealed-document.ts";

/**
 * A mark is an object beside the manifest, which is never changed. Only its being there counts: a damaged one protects as a whole
 * one does.
 */
export async function isMarked(
  store: Pick<Store, "get">,
  id: BackupId,
  options: Abortable = {},
): Promise<boolean> {
  return (await readObjectOrNull(store, backupKey(id, MARK_NAME), options)) !== null;
}

/** False: it was marked already, and stays as it was marked. Throws TARGET_*. */
export async function putMark(
  store: Pick<Store, "put">,
  id: BackupId,
  now: Date,
  options: Abortable = {},
): Promise<boolean> {
  const document = encodeDocument({ format: FORMAT, id, markedAt: now.toISOString() });
  try {
    await store.put(backupKey(id, MARK_NAME), bytesBody(document), { ...options, ifAbsent: true });
    return true;
  } catch (error) {
    if (hasCode(error, "OBJECT_EXISTS")) return false;
    throw error;
  }
}

/** False: it was not marked. Throws TARGET_*. */
export async function removeMark(
  store: Pick<Store, "get" | "delete">,
  id: BackupId,
  options: Abortable = {},
): Promise<boolean> {
  if (!(await isMarked(store, id, options))) return false;
  await store.delete(backupKey(id, MARK_NAME), options);
  return true;
}
