import type { BackupId } from "../domain/backup-id.ts";
import type { BackupOutline } from "../domain/backup-outline.ts";
import type { BackupError } from "../domain/errors.ts";
import type { Store } from "../ports/store.ts";
import { openCatalog } from "../repository/catalog.ts";

export interface ListRequest {
  /** Only backups of this set; null: all. */
  readonly set: string | null;
}

export interface DamagedBackup {
  readonly id: BackupId;
  /** MANIFEST_DAMAGED or FORMAT_NEWER. */
  readonly damage: BackupError;
  readonly marked: boolean;
}

export interface HealthyBackup extends BackupOutline {
  /** No policy may remove it. */
  readonly marked: boolean;
}

export interface Listing {
  readonly location: string;
  readonly repositoryId: string;
  /** Oldest first. */
  readonly backups: readonly HealthyBackup[];
  /** Of whatever set: a manifest that cannot be read does not say. */
  readonly damaged: readonly DamagedBackup[];
}

/** Throws REPOSITORY_MISSING, FORMAT_NEWER, MANIFEST_DAMAGED (of the repository document), TARGET_*. */
export async function list(
  deps: { readonly store: Store },
  request: ListRequest,
  signal?: AbortSignal,
): Promise<Listing> {
  const options = signal === undefined ? {} : { signal };
  const catalog = await openCatalog(deps.store, options);
  const backups: HealthyBackup[] = [];
  const damaged: DamagedBackup[] = [];
  for (const entry of await catalog.outlines(options)) {
    if ("damage" in entry) damaged.push(entry);
    else if (request.set === null || entry.set === request.set) backups.push(entry);
  }
  return { location: deps.store.location, repositoryId: catalog.repository.id, backups, damaged };
}
