import { hasCode } from "../domain/errors.ts";
import type { Store } from "../ports/store.ts";
import { BEGUN_NAME, KEY_NAME, MANIFEST_NAME, MARK_NAME, type FolderObject } from "./backup-folder.ts";
import { ENCRYPTED, INDEX_NAME } from "./volume.ts";

/** What is in none of them, the volumes, goes in the middle. */
const FIRST = [MANIFEST_NAME, MARK_NAME];
const LAST = [INDEX_NAME, `${INDEX_NAME}${ENCRYPTED}`, KEY_NAME, BEGUN_NAME];

/**
 * Removes objects of one backup: the manifest first, from when on there is no backup, and what reserves its id last. Broken off
 * anywhere it leaves what no manifest names. Not to be interrupted for less than a failure. Throws TARGET_*.
 */
export async function removeObjects(
  store: Pick<Store, "delete">,
  objects: readonly FolderObject[],
): Promise<void> {
  const inOrder = objects.toSorted((a, b) => place(a) - place(b) || (a.key < b.key ? -1 : 1));
  for (const { key } of inOrder) await store.delete(key);
}

/**
 * A removal that whoever writes backups need not be allowed: what stays is named by no manifest, and `prune` removes it. Throws all but
 * TARGET_REFUSED.
 */
export async function ifAllowed(removal: () => Promise<void>): Promise<void> {
  try {
    await removal();
  } catch (error) {
    if (!hasCode(error, "TARGET_REFUSED")) throw error;
  }
}

function place({ name }: FolderObject): number {
  if (FIRST.includes(name)) return FIRST.indexOf(name) - FIRST.length;
  return LAST.indexOf(name) + 1;
}
