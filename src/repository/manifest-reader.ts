import type { BackupId } from "../domain/backup-id.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { backupKey, MANIFEST_NAME } from "./backup-folder.ts";
import { requireReferenced, type StoredManifest } from "./backup-references.ts";
import { fromAnyCopy } from "./copies.ts";
import { decodeManifest } from "./manifest-codec.ts";
import { readObject } from "./objects.ts";
import { damaged, MAX_DOCUMENT_BYTES, sealOf } from "./sealed-document.ts";

/** Throws OBJECT_MISSING, MANIFEST_DAMAGED, FORMAT_NEWER. */
export async function readManifest(
  store: Pick<Store, "get" | "copies">,
  id: BackupId,
  options: Abortable = {},
): Promise<Manifest> {
  return (await readStoredManifest(store, id, options)).manifest;
}

/**
 * With the bytes it is stored as: they may hold what this version does not know of. `neededBy`: it must be the one that this other
 * backup was built on. Throws as `readManifest`.
 */
export async function readStoredManifest(
  store: Pick<Store, "get" | "copies">,
  id: BackupId,
  { neededBy = null, ...options }: Abortable & { readonly neededBy?: Manifest | null } = {},
): Promise<StoredManifest & { readonly bytes: Uint8Array }> {
  const key = backupKey(id, MANIFEST_NAME);
  return fromAnyCopy(store, key, async (copy) => {
    const bytes = await readObject(copy, key, { ...options, maxBytes: MAX_DOCUMENT_BYTES });
    const manifest = decodeManifest(bytes, key);
    const stored = { manifest, bytes, seal: manifest.stored?.sha256 ?? sealOf(bytes) };
    if (stored.manifest.id !== id) throw damaged(key, `it is the manifest of ${stored.manifest.id}`);
    if (neededBy !== null) requireReferenced(neededBy, stored, key);
    return stored;
  });
}
