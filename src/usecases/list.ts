import type { BackupId } from "../domain/backup-id.ts";
import type { BackupError } from "../domain/errors.ts";
import type { BackupKind, Manifest } from "../domain/manifest.ts";
import type { Store } from "../ports/store.ts";
import { openCatalog } from "../repository/catalog.ts";

export interface ListRequest {
  /** Only backups of this set; null: all. */
  readonly set: string | null;
}

/** One line of a listing. Times ISO 8601 in UTC, sizes bytes. */
export interface BackupSummary {
  readonly id: string;
  readonly kind: BackupKind;
  readonly base: string | null;
  readonly set: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly clusterName: string | null;
  readonly vhosts: readonly string[];
  readonly queues: {
    readonly complete: number;
    readonly partial: number;
    readonly skipped: number;
  };
  readonly messages: number;
  readonly bodyBytes: number;
  readonly storedBytes: number;
}

export interface DamagedBackup {
  readonly id: BackupId;
  /** MANIFEST_DAMAGED or FORMAT_NEWER. */
  readonly damage: BackupError;
}

export interface Listing {
  readonly location: string;
  readonly repositoryId: string;
  /** Oldest first. */
  readonly backups: readonly BackupSummary[];
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
  const backups: BackupSummary[] = [];
  const damaged: DamagedBackup[] = [];
  for await (const entry of catalog.list(options)) {
    if ("damage" in entry) damaged.push(entry);
    else if (request.set === null || entry.set === request.set) backups.push(summaryOf(entry));
  }
  return { location: deps.store.location, repositoryId: catalog.repository.id, backups, damaged };
}

function summaryOf(manifest: Manifest): BackupSummary {
  const { id, kind, base, set, startedAt, finishedAt, broker, queues, measures } = manifest;
  const count = (wanted: string): number => queues.filter(({ outcome }) => outcome === wanted).length;
  return {
    id,
    kind,
    base,
    set,
    startedAt,
    finishedAt,
    clusterName: broker.clusterName,
    vhosts: [...new Set(queues.map(({ vhost }) => vhost))].toSorted(),
    queues: { complete: count("complete"), partial: count("partial"), skipped: count("skipped") },
    messages: measures.messages,
    bodyBytes: measures.bodyBytes,
    storedBytes: measures.storedBytes,
  };
}
