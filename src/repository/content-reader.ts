import { parseBackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import {
  storedMessages,
  type ContentRange,
  type Manifest,
  type QueueEntry,
  type SegmentEntry,
} from "../domain/manifest.ts";
import type { MessageRecord } from "../domain/message.ts";
import { describeQueue } from "../domain/queue.ts";
import type { Abortable } from "../ports/abortable.ts";
import { requireReferenced, type ManifestOf } from "./backup-references.ts";
import { readSegmentRecords, type ArchiveSource } from "./archive-reader.ts";

/** A run of records of one segment, wanted one after another. */
export interface SegmentRun {
  /** The backup that holds the records: not always the one they are read for. */
  readonly holder: Manifest;
  readonly queue: QueueEntry;
  readonly segment: SegmentEntry;
  /** Place of its first wanted record in the queue of the backup it is read for, from 0. */
  readonly sequence: number;
  /** Records of the segment before the first wanted one. */
  readonly skip: number;
  readonly count: number;
}

export interface SequencedRecord {
  readonly sequence: number;
  readonly record: MessageRecord;
}

/** A run of records that one backup holds one after another. */
export interface HeldRange {
  readonly holder: Manifest;
  readonly queue: QueueEntry;
  /** Among the queue's own records of the holder, from 0. */
  readonly first: number;
  readonly count: number;
  /** Place of its first record in the queue of the backup it is read for, from 0. */
  readonly sequence: number;
}

/**
 * What a queue of a backup consists of, from sequence `from` on, in queue order. `manifestOf` gives the manifests of other backups
 * that hold parts of it. Throws ARCHIVE_DAMAGED when one does not hold what it should, MANIFEST_DAMAGED when it is not the one that was
 * built on, and as `manifestOf`.
 */
export async function* heldRanges(
  manifest: Manifest,
  queue: QueueEntry,
  from: number,
  manifestOf: ManifestOf,
): AsyncGenerator<HeldRange> {
  let sequence = 0;
  for (const range of queue.content) {
    const skipped = Math.min(Math.max(from - sequence, 0), range.count);
    sequence += skipped;
    if (skipped === range.count) continue;
    const held = await holderOf(manifest, queue, range, manifestOf);
    yield { ...held, first: range.first + skipped, count: range.count - skipped, sequence };
    sequence += range.count - skipped;
  }
}

/** As `heldRanges`, segment by segment, and before sequence `end`. */
export async function* segmentRuns(
  manifest: Manifest,
  queue: QueueEntry,
  from: number,
  manifestOf: ManifestOf,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<SegmentRun> {
  for await (const range of heldRanges(manifest, queue, from, manifestOf)) {
    if (range.sequence >= end) return;
    yield* runsOf({ ...range, count: Math.min(range.count, end - range.sequence) });
  }
}

/** The messages themselves; views are valid until the next batch is asked for. Throws as `segmentRuns` and `readSegmentRecords`. */
export async function* readContent(
  source: ArchiveSource,
  runs: AsyncIterable<SegmentRun>,
  options: Abortable = {},
): AsyncGenerator<readonly SequencedRecord[]> {
  for await (const { holder, queue, segment, sequence, skip, count } of runs) {
    const records = await readSegmentRecords(source, holder, queue, segment, options);
    yield records.slice(skip, skip + count).map((record, at) => ({ sequence: sequence + at, record }));
  }
}

async function holderOf(
  manifest: Manifest,
  queue: QueueEntry,
  range: ContentRange,
  manifestOf: ManifestOf,
): Promise<Pick<HeldRange, "holder" | "queue">> {
  if (range.kind === "new") return { holder: manifest, queue };
  const stored = await manifestOf(parseBackupId(range.backup), manifest);
  requireReferenced(manifest, stored, `backup ${range.backup}`);
  const { manifest: holder } = stored;
  const held = holder.queues.find(({ ordinal }) => ordinal === range.ordinal);
  if (held !== undefined && range.first + range.count <= storedMessages(held)) return { holder, queue: held };
  throw new BackupError(
    "ARCHIVE_DAMAGED",
    `backup ${range.backup} does not hold messages of ${describeQueue(queue)} that backup ${manifest.id} needs`,
  );
}

function* runsOf(wanted: HeldRange): Generator<SegmentRun> {
  const { holder, queue } = wanted;
  const end = wanted.first + wanted.count;
  for (const segment of queue.segments) {
    const first = Math.max(wanted.first, segment.first);
    const count = Math.min(end, segment.first + segment.records) - first;
    if (count <= 0) continue;
    const sequence = wanted.sequence + first - wanted.first;
    yield { holder, queue, segment, sequence, skip: first - segment.first, count };
  }
}
