import { ContentBuilder, heldContent } from "../domain/content-builder.ts";
import { queueFolder } from "../domain/entry-name.ts";
import type { Gap, QueueEntry } from "../domain/manifest.ts";
import type { MessageRecord } from "../domain/message.ts";
import type { QueueInfo } from "../domain/queue.ts";
import type { ReadingRecipe, StreamRecipe } from "../domain/reading-recipe.ts";
import { SequenceDiff } from "../domain/sequence-diff.ts";
import type { QueueCursor } from "../ports/queue-reader.ts";
import { QueueArchive } from "../repository/queue-archive.ts";
import { SegmentBuilder } from "../repository/segment-builder.ts";
import type { BaseBackup } from "./base-backup.ts";
import type { CaptureContext } from "./capture-context.ts";
import { IncrementalIntake } from "./incremental-intake.ts";
import { wholeIntake, type QueueIntake } from "./queue-intake.ts";
import { continueStream } from "./stream-continuation.ts";

/** Segments of one queue on their way at once. */
const SEGMENTS_AHEAD = 2;

/** A queue that is being read, and where its messages go. */
export interface OpenedQueue {
  readonly cursor: QueueCursor;
  readonly batches: AsyncIterable<readonly MessageRecord[]>;
  readonly intake: QueueIntake;
  /** Streams that go on: the offsets of what is kept. */
  readonly offsets: { readonly first: number; readonly last: number } | null;
  readonly keptBodyBytes: number;
  readonly gaps: readonly Gap[];
  readonly notes: readonly string[];
}

const NOTHING_KEPT = { offsets: null, keptBodyBytes: 0, gaps: [], notes: [] };

/** Everything that takes its time comes before the queue is held. Throws as the reader and as the base. */
export async function openQueue(
  queue: QueueInfo,
  recipe: ReadingRecipe,
  ordinal: number,
  context: CaptureContext,
): Promise<OpenedQueue> {
  const archive = new QueueArchive({
    archive: context.archive,
    index: context.index,
    folder: queueFolder(ordinal, queue.name),
    ahead: SEGMENTS_AHEAD,
  });
  const { base } = context;
  const entry = base?.queue(queue, recipe.kind === "stream") ?? null;
  if (base && entry && recipe.kind === "stream") {
    return openStream({ queue, recipe, base, entry, archive, context });
  }
  const intake =
    base && entry ? await incrementalIntake(base, entry, archive, context) : wholeIntake(archive);
  const cursor = await openCursor(queue, recipe, context);
  return { cursor, batches: cursor, intake, ...NOTHING_KEPT };
}

async function incrementalIntake(
  base: BaseBackup,
  entry: QueueEntry,
  archive: QueueArchive,
  context: CaptureContext,
): Promise<QueueIntake> {
  const fingerprints = await base.fingerprints(entry, { signal: context.signal });
  return new IncrementalIntake({
    archive,
    codec: context.codec,
    diff: new SequenceDiff(fingerprints),
    content: new ContentBuilder(heldContent(base.manifest.id, entry)),
    builder: newBuilder(context),
    ahead: SEGMENTS_AHEAD,
  });
}

async function openStream(stream: {
  readonly queue: QueueInfo;
  readonly recipe: StreamRecipe;
  readonly base: BaseBackup;
  readonly entry: QueueEntry;
  readonly archive: QueueArchive;
  readonly context: CaptureContext;
}): Promise<OpenedQueue> {
  const { queue, recipe, base, entry, archive, context } = stream;
  const open = async (from: StreamRecipe["from"], atMost?: number): Promise<QueueCursor> =>
    openCursor(queue, { ...recipe, from }, context, atMost);
  const fingerprint = async (record: MessageRecord): Promise<Uint8Array> => {
    const builder = new SegmentBuilder(0);
    builder.append(record);
    return (await context.codec.fingerprint(builder.take())).fingerprints;
  };
  const going = await continueStream(base, entry, { open, fingerprint }, { signal: context.signal });
  if (going.cursor) return { ...going, intake: wholeIntake(archive, going.kept) };
  const cursor = await open(recipe.from);
  const { gaps, notes } = going;
  return { cursor, batches: cursor, intake: wholeIntake(archive), ...NOTHING_KEPT, gaps, notes };
}

async function openCursor(
  queue: QueueInfo,
  recipe: ReadingRecipe,
  { reader, request, atMost: limitOf, signal }: CaptureContext,
  atMost = limitOf?.(queue),
): Promise<QueueCursor> {
  const { ready } = queue.counts;
  const averageBodyBytes =
    ready !== null && ready > 0 && queue.readyBytes !== null ? queue.readyBytes / ready : null;
  return reader.open(queue, recipe, {
    hold: request.drain ? "until-settled" : "until-read",
    maxHoldMs: request.maxHoldMs,
    averageBodyBytes,
    ...(atMost === undefined ? {} : { atMost }),
    signal,
  });
}

/** Of segments in memory of the codec. */
export function newBuilder({ request, archive }: CaptureContext): SegmentBuilder {
  return new SegmentBuilder(request.segmentBytes, (bytes) => archive.segmentMemory(bytes));
}
