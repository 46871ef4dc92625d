import { BackupError } from "../domain/errors.ts";
import type { Manifest, QueueEntry } from "../domain/manifest.ts";
import { describeQueue, type QueueAddress } from "../domain/queue.ts";
import { rangeEnd, type SequenceRange } from "../domain/sequence-range.ts";
import type { MessageFilter } from "../ports/message-filter.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Store } from "../ports/store.ts";
import type { ManifestOf } from "../repository/backup-references.ts";
import { openCatalog } from "../repository/catalog.ts";
import { readContent, segmentRuns, type SequencedRecord } from "../repository/content-reader.ts";
import { viewMessage, type BodyMode, type MessageView } from "../repository/message-view.ts";
import { ManifestCache } from "./manifest-cache.ts";

export interface CatDeps {
  readonly store: Store;
  readonly codec: Pick<SegmentCodec, "open">;
}

export interface CatRequest {
  /** An id, the beginning of one, or "latest". */
  readonly backup: string;
  selects(queue: QueueAddress): boolean;
  /** Of each queue. */
  readonly range: SequenceRange;
  /** Of the range; null: all. */
  readonly filter: MessageFilter | null;
  /** Of those that are left in each queue, so many to pass over. */
  readonly skip: number;
  /** At most so many of the others; null: all. */
  readonly limit: number | null;
}

/** Throws as `openCatalog`, `resolve` and `matches`; QUEUE_MISSING, ARCHIVE_DAMAGED, OBJECT_MISSING, TARGET_*. */
export async function* cat(
  deps: CatDeps,
  request: CatRequest & { readonly body: BodyMode },
  signal?: AbortSignal,
): AsyncGenerator<MessageView> {
  for await (const { queue, batch } of readSelected(deps, request, null, signal)) {
    for (const { sequence, record } of batch) yield viewMessage(queue, sequence, record, request.body);
  }
}

/**
 * The bodies alone, one after another: of one queue, or nobody could tell what is whose. A view is valid until the next is asked for.
 * Throws as `cat`, and USAGE when more than one queue is selected.
 */
export async function* catBodies(
  deps: CatDeps,
  request: CatRequest,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const { batch } of readSelected(deps, request, 1, signal)) {
    for (const { record } of batch) yield record.body;
  }
}

interface QueueBatch {
  readonly queue: QueueEntry;
  readonly batch: readonly SequencedRecord[];
}

async function* readSelected(
  deps: CatDeps,
  request: CatRequest,
  maxQueues: number | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<QueueBatch> {
  const options = signal === undefined ? {} : { signal };
  const catalog = await openCatalog(deps.store, options);
  const manifest = await catalog.manifest(await catalog.resolve(request.backup, options), options);
  const selected = select(manifest, request, maxQueues);
  const holders = new ManifestCache(deps.store, options);
  for (const queue of selected) yield* readQueue(deps, holders, manifest, queue, request, signal);
}

async function* readQueue(
  deps: CatDeps,
  holders: ManifestCache,
  manifest: Manifest,
  queue: QueueEntry,
  { range, filter, skip, limit }: CatRequest,
  signal: AbortSignal | undefined,
): AsyncGenerator<QueueBatch> {
  const options = signal === undefined ? {} : { signal };
  // Without a filter it is known which messages are passed over: they are not even read.
  const from = filter === null ? range.from + skip : range.from;
  let passing = filter === null ? 0 : skip;
  let left = limit ?? Number.POSITIVE_INFINITY;
  if (left <= 0) return;
  const manifestOf: ManifestOf = async (id, neededBy) => holders.get(id, neededBy);
  const runs = segmentRuns(manifest, queue, from, manifestOf, rangeEnd(range));
  for await (const read of readContent(deps, runs, options)) {
    const wanted = filter === null ? read : read.filter((placed) => filter.matches({ queue, ...placed }));
    const batch = wanted.slice(passing, passing + left);
    passing -= Math.min(passing, wanted.length);
    left -= batch.length;
    yield { queue, batch };
    if (left <= 0) return;
  }
}

function select(manifest: Manifest, request: CatRequest, maxQueues: number | null): readonly QueueEntry[] {
  const selected = manifest.queues.filter((queue) => request.selects(queue));
  const [first, second] = selected;
  if (first === undefined) {
    throw new BackupError("QUEUE_MISSING", `backup ${manifest.id} has none of the queues asked for`, {
      hint: `mqbackup show ${manifest.id} lists its queues.`,
    });
  }
  if (maxQueues !== null && second !== undefined && selected.length > maxQueues) {
    throw new BackupError(
      "USAGE",
      `raw bodies can be given of one queue at a time, not of ${describeQueue(first)} and ${describeQueue(second)}`,
      { hint: "Name one queue exactly." },
    );
  }
  return selected;
}
