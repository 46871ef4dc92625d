import { queueFolder } from "../domain/entry-name.ts";
import { BackupError } from "../domain/errors.ts";
import type { Manifest, QueueEntry } from "../domain/manifest.ts";
import { describeQueue } from "../domain/queue.ts";
import { ALL_MESSAGES } from "../domain/sequence-range.ts";
import type { ArchiveWriter } from "../repository/archive-writer.ts";
import type { IndexWriter } from "../repository/index-writer.ts";
import { QueueArchive } from "../repository/queue-archive.ts";
import { SegmentBuilder } from "../repository/segment-builder.ts";
import type { CheckedFingerprints } from "./checked-fingerprints.ts";
import type { CompactEvent } from "./compact-types.ts";
import type { RestoreContent } from "./restore-content.ts";

/** Segments on their way at once. */
const SEGMENTS_AHEAD = 3;

export interface CompactContext {
  readonly content: RestoreContent;
  readonly archive: ArchiveWriter;
  readonly index: IndexWriter;
  readonly segmentBytes: number;
  report(event: CompactEvent): void;
  readonly signal: AbortSignal;
}

/**
 * Copies all messages of a queue, whoever holds them, into the new backup. Throws ARCHIVE_DAMAGED when they are not what was backed
 * up, OBJECT_MISSING, TARGET_*.
 */
export async function compactQueue(
  context: CompactContext,
  queue: QueueEntry,
  checked: CheckedFingerprints,
): Promise<QueueEntry> {
  if (queue.messages === 0) return queue;
  const { archive, index } = context;
  context.report({ kind: "queue-begun", queue, messages: queue.messages });
  const folder = queueFolder(queue.ordinal, queue.name);
  const queueArchive = new QueueArchive({
    archive,
    index: {
      add: async (to, fingerprints) => {
        await checked.check(fingerprints);
        await index.add(to, fingerprints);
      },
      endQueue: async (to) => index.endQueue(to),
    },
    folder,
    ahead: SEGMENTS_AHEAD,
  });
  const { messages, bodyBytes } = await copy(context, queue, queueArchive);
  const { segments, index: entries } = await queueArchive.finish();
  checkTotals(context.content.manifest, queue, messages, bodyBytes);
  context.report({ kind: "queue-finished", queue, messages, bodyBytes });
  return { ...queue, content: [{ kind: "new", first: 0, count: messages }], segments, index: entries };
}

interface Tally {
  readonly messages: number;
  readonly bodyBytes: number;
}

async function copy(context: CompactContext, queue: QueueEntry, queueArchive: QueueArchive): Promise<Tally> {
  const { archive, content, segmentBytes, signal } = context;
  const builder = new SegmentBuilder(segmentBytes, (bytes) => archive.segmentMemory(bytes));
  let messages = 0;
  let bodyBytes = 0;
  for await (const { records, release } of content.segmentsBetween(queue, ALL_MESSAGES, { signal })) {
    for (const record of records) {
      if (!builder.append(record)) {
        await queueArchive.append(builder.take());
        builder.append(record);
      }
      messages += 1;
      bodyBytes += record.body.length;
    }
    release();
    signal.throwIfAborted();
    context.report({ kind: "queue-progress", queue, messages, bodyBytes });
  }
  if (builder.records > 0) await queueArchive.append(builder.take());
  return { messages, bodyBytes };
}

function checkTotals(source: Manifest, queue: QueueEntry, messages: number, bodyBytes: number): void {
  if (messages === queue.messages && bodyBytes === queue.bodyBytes) return;
  throw new BackupError(
    "ARCHIVE_DAMAGED",
    `${describeQueue(queue)} has ${messages} messages with ${bodyBytes} bytes, backup ${source.id} says ${queue.messages} with ${queue.bodyBytes}`,
  );
}
