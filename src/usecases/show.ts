import type { Manifest } from "../domain/manifest.ts";
import type { Store } from "../ports/store.ts";
import { openCatalog } from "../repository/catalog.ts";

export interface ShowRequest {
  /** An id, the beginning of one, or "latest". */
  readonly backup: string;
}

/** Throws BACKUP_MISSING, BACKUP_AMBIGUOUS, MANIFEST_DAMAGED, FORMAT_NEWER, REPOSITORY_MISSING, TARGET_*. */
export async function show(
  deps: { readonly store: Store },
  request: ShowRequest,
  signal?: AbortSignal,
): Promise<Manifest> {
  const options = signal === undefined ? {} : { signal };
  const catalog = await openCatalog(deps.store, options);
  return catalog.manifest(await catalog.resolve(request.backup, options), options);
}
