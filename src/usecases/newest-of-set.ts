import { hasCode, type ErrorCode } from "../domain/errors.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { committedIds } from "../repository/backup-folder.ts";
import type { StoredManifest } from "../repository/backup-references.ts";
import { readStoredManifest } from "../repository/manifest-reader.ts";

/**
 * The newest backup of a set, as it is stored; null: the set has none. A newer one that cannot be read may be of the set: its failure is
 * thrown, unless it is one of `passedOver`.
 */
export async function newestOfSet(
  store: Store,
  set: string,
  passedOver: readonly ErrorCode[],
  options: Abortable,
): Promise<StoredManifest | null> {
  for (const id of (await committedIds(store, options)).toReversed()) {
    try {
      const stored = await readStoredManifest(store, id, options);
      if (stored.manifest.set === set) return stored;
    } catch (error) {
      // Missing: removed since it was listed.
      if (!hasCode(error, "OBJECT_MISSING", ...passedOver)) throw error;
    }
  }
  return null;
}
