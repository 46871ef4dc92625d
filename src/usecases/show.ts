import type { Manifest } from "../domain/manifest.ts";
import type { Store } from "../ports/store.ts";
import { openCatalog } from "../repository/catalog.ts";
import { isMarked } from "../repository/marks.ts";

export interface ShowRequest {
  /** An id, the beginning of one, or "latest". */
  readonly backup: string;
}

export interface ShownBackup {
  readonly manifest: Manifest;
  /** No policy may remove it. */
  readonly marked: boolean;
}

/** Throws BACKUP_MISSING, BACKUP_AMBIGUOUS, MANIFEST_DAMAGED, FORMAT_NEWER, REPOSITORY_MISSING, TARGET_*. */
export async function show(
  deps: { readonly store: Store },
  request: ShowRequest,
  signal?: AbortSignal,
): Promise<ShownBackup> {
  const options = signal === undefined ? {} : { signal };
  const catalog = await openCatalog(deps.store, options);
  const id = await catalog.resolve(request.backup, options);
  const manifest = await catalog.manifest(id, options);
  return { manifest, marked: await isMarked(deps.store, id, options) };
}
