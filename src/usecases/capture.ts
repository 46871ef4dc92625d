import { BackupError, hasCode } from "../domain/errors.ts";
import { gapsBefore, inFlight, isAccepted } from "../domain/loss.ts";
import type { QueueEntry, Reason } from "../domain/manifest.ts";
import type { QueueInfo } from "../domain/queue.ts";
import { describeRecipe } from "../domain/reading-plan.ts";
import type { ReadingRecipe, ReadingVerdict } from "../domain/reading-recipe.ts";
import { millisecondsBetween } from "../domain/time.ts";
import type { QueueCursor } from "../ports/queue-reader.ts";
import type { CaptureContext } from "./capture-context.ts";
import { newBuilder, openQueue, type OpenedQueue } from "./open-queue.ts";

export interface Captured {
  readonly entry: QueueEntry;
  /** Drain: still held, to be settled after the commit. */
  readonly cursor: QueueCursor | null;
  readonly unprotected: boolean;
  /** Ready messages behind the cut. */
  readonly leftOver: number;
}

/** Reads one queue into the archive. A queue that cannot be read is skipped with its reason; only failures of archive and base are thrown. */
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
  let opened: OpenedQueue;
  try {
    opened = await openQueue(queue, recipe, ordinal, context);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof BackupError) || isOfBase(error)) throw error;
    return skipped(queue, ordinal, { code: error.code, message: error.message, hint: error.hint ?? null });
  }
  return readAll(opened, verdict, recipe, ordinal, context);
}

/** What no reader of queues throws. */
function isOfBase(error: BackupError): boolean {
  return (
    hasCode(error, "ARCHIVE_DAMAGED", "MANIFEST_DAMAGED", "FORMAT_NEWER", "OBJECT_MISSING", "KEY_WRONG") ||
    hasCode(error, "TARGET_MISSING", "TARGET_REFUSED", "TARGET_FULL", "TARGET_FAILED")
  );
}

async function readAll(
  opened: OpenedQueue,
  verdict: ReadingVerdict,
  recipe: ReadingRecipe,
  ordinal: number,
  context: CaptureContext,
): Promise<Captured> {
  const { queue } = verdict;
  const { cursor } = opened;
  context.reading.add(cursor);
  context.report({ kind: "queue-begun", queue, messages: cursor.readyAtCut ?? queue.counts.ready });
  try {
    const tally = await copy(opened, queue, context);
    const readEndAt = tally.endedAt;
    const stored = await opened.intake.finish();
    const unacknowledged = inFlight(queue.counts, {
      ready: cursor.readyAtCut,
      consumers: cursor.consumersAtCut,
    });
    const gaps = [...gapsBefore(unacknowledged, queue.outOfReach), ...opened.gaps, ...cursor.gaps];
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
        recipe.kind === "stream" ? 0 : millisecondsBetween(cursor.cutAt, cursor.releasedAt ?? readEndAt),
      messages: stored.content.reduce((sum, { count }) => sum + count, 0),
      bodyBytes: opened.keptBodyBytes + tally.bodyBytes,
      offsets: tally.offsets,
      content: stored.content,
      segments: stored.segments,
      index: stored.index,
      gaps,
      notes: [...verdict.costs, ...opened.notes, ...cursor.notes],
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
  readonly bodyBytes: number;
  readonly offsets: { readonly first: number; readonly last: number } | null;
  readonly endedAt: Date;
}

async function copy(
  { batches, intake, offsets }: OpenedQueue,
  queue: QueueInfo,
  context: CaptureContext,
): Promise<Tally> {
  const builder = newBuilder(context);
  let messages = 0;
  let bodyBytes = 0;
  let first = offsets?.first;
  let last = offsets?.last;
  for await (const batch of batches) {
    const before = bodyBytes;
    for (const record of batch) {
      if (!builder.append(record)) {
        await intake.append(builder.take());
        builder.append(record);
      }
      bodyBytes += record.body.length;
      first ??= record.streamOffset;
      last = record.streamOffset ?? last;
    }
    messages += batch.length;
    context.report({ kind: "queue-progress", queue, messages, bodyBytes });
    await context.pace(batch.length, bodyBytes - before, context.signal);
  }
  const endedAt = context.now();
  if (builder.records > 0) await intake.append(builder.take());
  return {
    bodyBytes,
    offsets: first === undefined || last === undefined ? null : { first, last },
    endedAt,
  };
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
