import { queueFolder } from "../domain/entry-name.ts";
import { BackupError } from "../domain/errors.ts";
import { gapsBefore, inFlight, isAccepted } from "../domain/loss.ts";
import type { Gap, QueueEntry, Reason } from "../domain/manifest.ts";
import type { QueueAddress, QueueInfo } from "../domain/queue.ts";
import { describeRecipe } from "../domain/reading-plan.ts";
import type { ReadingRecipe, ReadingVerdict } from "../domain/reading-recipe.ts";
import type { QueueCursor, QueueReader } from "../ports/queue-reader.ts";
import type { ArchiveWriter } from "../repository/archive-writer.ts";
import type { IndexWriter } from "../repository/index-writer.ts";
import { QueueArchive } from "../repository/queue-archive.ts";
import { SegmentBuilder } from "../repository/segment-builder.ts";
import type { BackupDeps, BackupRequest } from "./backup-types.ts";
import type { Pace } from "./pace.ts";

/** Segments of one queue on their way at once. */
const SEGMENTS_AHEAD = 2;

export interface CaptureContext {
  readonly reader: QueueReader;
  readonly archive: ArchiveWriter;
  readonly index: IndexWriter;
  readonly pace: Pace;
  now(): Date;
  readonly report: BackupDeps["report"];
  readonly request: Pick<BackupRequest, "drain" | "maxHoldMs" | "segmentBytes" | "policy">;
  /** Drain: read at most so many of each queue. */
  readonly atMost: ((queue: QueueAddress) => number) | null;
  /** Cursors that are reading now, for whoever must stop them. */
  readonly reading: Set<QueueCursor>;
  /** Set once reading must not go on: no further queue is opened. */
  readonly stopped: () => Gap | null;
  readonly signal: AbortSignal;
}

export interface Captured {
  readonly entry: QueueEntry;
  /** Drain: still held, to be settled after the commit. */
  readonly cursor: QueueCursor | null;
  readonly unprotected: boolean;
  /** Ready messages behind the cut. */
  readonly leftOver: number;
}

/** Reads one queue into the archive. A queue that cannot be read is skipped with its reason; only failures of the archive are thrown. */
export async function capture(
  verdict: ReadingVerdict,
  ordinal: number,
  context: CaptureContext,
): Promise<Captured> {
  const { queue, recipe, danger } = verdict;
  if (!recipe) {
    const reason = danger ?? { code: "unknown", message: "it cannot be read", hint: "" };
    return skipped(queue, ordinal, { code: reason.code, message: reason.message, hint: reason.hint });
  }
  const stopped = context.stopped();
  if (stopped) return skipped(queue, ordinal, { code: stopped.code, message: stopped.message, hint: null });
  let cursor: QueueCursor;
  try {
    cursor = await openCursor(queue, recipe, context);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof BackupError)) throw error;
    return skipped(queue, ordinal, { code: error.code, message: error.message, hint: error.hint ?? null });
  }
  return readAll(cursor, verdict, recipe, ordinal, context);
}

async function openCursor(
  queue: QueueInfo,
  recipe: ReadingRecipe,
  { reader, request, atMost, signal }: CaptureContext,
): Promise<QueueCursor> {
  const { ready } = queue.counts;
  const averageBodyBytes =
    ready !== null && ready > 0 && queue.readyBytes !== null ? queue.readyBytes / ready : null;
  return reader.open(queue, recipe, {
    hold: request.drain ? "until-settled" : "until-read",
    maxHoldMs: request.maxHoldMs,
    averageBodyBytes,
    ...(atMost === null ? {} : { atMost: atMost(queue) }),
    signal,
  });
}

async function readAll(
  cursor: QueueCursor,
  verdict: ReadingVerdict,
  recipe: ReadingRecipe,
  ordinal: number,
  context: CaptureContext,
): Promise<Captured> {
  const { queue } = verdict;
  context.reading.add(cursor);
  context.report({ kind: "queue-begun", queue, messages: cursor.readyAtCut ?? queue.counts.ready });
  const archive = new QueueArchive({
    archive: context.archive,
    index: context.index,
    folder: queueFolder(ordinal, queue.name),
    ahead: SEGMENTS_AHEAD,
  });
  try {
    const tally = await copy(cursor, queue, archive, context);
    const readEndAt = tally.endedAt;
    const stored = await archive.finish();
    const unacknowledged = inFlight(queue.counts, {
      ready: cursor.readyAtCut,
      consumers: cursor.consumersAtCut,
    });
    const gaps = [...gapsBefore(unacknowledged, queue.outOfReach), ...cursor.gaps];
    const accepted = gaps.every((gap) => isAccepted(gap, context.request.policy.accept));
    const entry: QueueEntry = {
      ...known(queue, ordinal),
      outcome: accepted ? "complete" : "partial",
      skipped: null,
      strategy: describeRecipe(recipe),
      readyAtCut: cursor.readyAtCut,
      before: { ready: cursor.readyAtCut ?? queue.counts.ready, unacknowledged },
      after: { ready: cursor.readyAfter, unacknowledged: null },
      cutAt: cursor.cutAt.toISOString(),
      readEndAt: readEndAt.toISOString(),
      releasedAt: cursor.releasedAt?.toISOString() ?? null,
      holdMs:
        recipe.kind === "stream" ? 0 : (cursor.releasedAt ?? readEndAt).getTime() - cursor.cutAt.getTime(),
      messages: tally.messages,
      bodyBytes: tally.bodyBytes,
      offsets: tally.offsets,
      content: tally.messages === 0 ? [] : [{ kind: "new", first: 0, count: tally.messages }],
      segments: stored.segments,
      index: stored.index,
      gaps,
      notes: [...verdict.costs, ...cursor.notes],
    };
    context.report({ kind: "queue-finished", entry });
    const { unprotected, leftOver } = cursor;
    if (context.request.drain) return { entry, cursor, unprotected, leftOver };
    await cursor[Symbol.asyncDispose]();
    return { entry, cursor: null, unprotected, leftOver };
  } catch (error) {
    await cursor[Symbol.asyncDispose]();
    throw error;
  } finally {
    context.reading.delete(cursor);
  }
}

interface Tally {
  readonly messages: number;
  readonly bodyBytes: number;
  readonly offsets: { readonly first: number; readonly last: number } | null;
  readonly endedAt: Date;
}

async function copy(
  cursor: QueueCursor,
  queue: QueueInfo,
  archive: QueueArchive,
  context: CaptureContext,
): Promise<Tally> {
  const builder = new SegmentBuilder(context.request.segmentBytes, (bytes) =>
    context.archive.segmentMemory(bytes),
  );
  let messages = 0;
  let bodyBytes = 0;
  let first: number | undefined;
  let last: number | undefined;
  for await (const batch of cursor) {
    const before = bodyBytes;
    for (const record of batch) {
      if (!builder.append(record)) {
        await archive.append(builder.take());
        builder.append(record);
      }
      bodyBytes += record.body.length;
      first ??= record.streamOffset;
      last = record.streamOffset;
    }
    messages += batch.length;
    context.report({ kind: "queue-progress", queue, messages, bodyBytes });
    await context.pace(batch.length, bodyBytes - before, context.signal);
  }
  const endedAt = context.now();
  if (builder.records > 0) await archive.append(builder.take());
  const offsets = first === undefined || last === undefined ? null : { first, last };
  return { messages, bodyBytes, offsets, endedAt };
}

function known(queue: QueueInfo, ordinal: number) {
  return {
    ordinal,
    vhost: queue.vhost,
    name: queue.name,
    type: queue.type,
    durable: queue.durable,
    autoDelete: queue.autoDelete,
    arguments: queue.arguments,
    policy: queue.policy,
    effectivePolicy: queue.effectivePolicy,
  };
}

function skipped(queue: QueueInfo, ordinal: number, reason: Reason): Captured {
  const entry: QueueEntry = {
    ...known(queue, ordinal),
    outcome: "skipped",
    skipped: reason,
    strategy: null,
    readyAtCut: null,
    before: queue.counts,
    after: { ready: null, unacknowledged: null },
    cutAt: null,
    readEndAt: null,
    releasedAt: null,
    holdMs: null,
    messages: 0,
    bodyBytes: 0,
    offsets: null,
    content: [],
    segments: [],
    index: [],
    gaps: [],
    notes: [],
  };
  return { entry, cursor: null, unprotected: false, leftOver: 0 };
}
