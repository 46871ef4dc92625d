import type { BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import type { Manifest, QueueEntry } from "../domain/manifest.ts";
import type { MessageChoice } from "../domain/message-choice.ts";
import type { MessageRecord } from "../domain/message.ts";
import { FINGERPRINT_BYTES } from "../domain/record.ts";
import { sequenceOf, type RestoreTarget } from "../domain/restore-targets.ts";
import { rangeEnd, type SequenceRange } from "../domain/sequence-range.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import { openSegment, type OpenedSegment } from "../repository/archive-reader.ts";
import { backupKey, folderPrefix } from "../repository/backup-folder.ts";
import type { ManifestOf, StoredManifest } from "../repository/backup-references.ts";
import type { Catalog } from "../repository/catalog.ts";
import { sizesAtCopies } from "../repository/copies.ts";
import { contentFingerprints } from "../repository/content-fingerprints.ts";
import { segmentRuns, type SegmentRun } from "../repository/content-reader.ts";
import { parseBackupId } from "../domain/backup-id.ts";

/** Where a restore takes its segments from. */
interface ContentSource {
  readonly store: Pick<Store, "get">;
  readonly codec: Pick<SegmentCodec, "open" | "recycle">;
}

/** A queue of a backup, and which of its messages are wanted. */
type WantedMessages = Pick<RestoreTarget, "source" | "choice">;

export interface WantedSegment extends OpenedSegment {
  /** Place of its first message in the queue; the others follow it when all are wanted. */
  readonly sequence: number;
  /** 16 bytes for each message of the range in it, also for those that are not wanted. */
  readonly fingerprints: () => Uint8Array;
}

/** Records that are handed on at once: few enough to be forgotten again before they grow old. */
const BATCH_RECORDS = 512;

/** One backup, and the others that hold parts of it, as a place to take messages from. */
export class RestoreContent {
  readonly manifest: Manifest;
  readonly #source: ContentSource;
  /** Of others at the target; each is read once. */
  readonly manifestOf: ManifestOf;

  constructor(source: ContentSource, catalog: Catalog, manifest: Manifest, options: Abortable) {
    this.manifest = manifest;
    this.#source = source;
    const known = new Map<BackupId, Promise<StoredManifest>>();
    this.manifestOf = async (id, neededBy) => {
      const loading = known.get(id) ?? catalog.storedManifest(id, { ...options, neededBy });
      known.set(id, loading);
      return loading;
    };
  }

  runs(queue: QueueEntry, range: SequenceRange): AsyncGenerator<SegmentRun> {
    return segmentRuns(this.manifest, queue, range.from, this.manifestOf, rangeEnd(range));
  }

  /** Of all the queue's messages in order, as the index has them: pieces of 16 bytes a message. Throws as `segments`. */
  fingerprints(queue: QueueEntry, options: Abortable = {}): AsyncGenerator<Uint8Array> {
    return contentFingerprints(this.#source, this.manifest, queue, this.manifestOf, options);
  }

  /**
   * The wanted messages of a queue from number `from` of them on. A batch's views are valid until the next one is asked for. Throws as
   * `segments`.
   */
  async *records(
    wanted: WantedMessages,
    from: number,
    options: Abortable = {},
  ): AsyncGenerator<readonly MessageRecord[], void, undefined> {
    for await (const { records, release } of this.segments(wanted, from, options)) {
      let batch: MessageRecord[] = [];
      for (const record of records) {
        batch.push(record);
        if (batch.length < BATCH_RECORDS) continue;
        yield batch;
        batch = [];
      }
      if (batch.length > 0) yield batch;
      release();
    }
  }

  /** The same, a segment at a time; segments without a wanted message are not read. Throws as `segmentsBetween`. */
  segments(
    { source, choice }: WantedMessages,
    from: number,
    options: Abortable = {},
  ): AsyncGenerator<WantedSegment, void, undefined> {
    return this.segmentsBetween(
      source,
      { from: sequenceOf({ choice }, from), to: null },
      { ...options, choice },
    );
  }

  /**
   * The messages of a range, a segment at a time; all views are valid until `release`. A segment is fetched and checked wholly before
   * its first message comes out, the next one while this one is in use. Throws ARCHIVE_DAMAGED, OBJECT_MISSING, TARGET_*.
   */
  async *segmentsBetween(
    queue: QueueEntry,
    range: SequenceRange,
    { choice = null, ...options }: Abortable & { readonly choice?: MessageChoice | null } = {},
  ): AsyncGenerator<WantedSegment, void, undefined> {
    let ahead: Promise<WantedSegment> | null = null;
    try {
      for await (const run of this.runs(queue, range)) {
        if (choice !== null && !choice.hasAny(run.sequence, run.count)) continue;
        const current: Promise<WantedSegment> | null = ahead;
        ahead = this.#open(run, choice, options);
        // Met when it is its turn; until then its failure must not count as unhandled.
        ahead.catch(() => undefined);
        if (current) yield await current;
      }
      if (ahead) yield await ahead;
    } finally {
      await ahead?.catch(() => undefined);
    }
  }

  async #open(run: SegmentRun, choice: MessageChoice | null, options: Abortable): Promise<WantedSegment> {
    const { holder, queue, segment, sequence, count } = run;
    const opened = await openSegment(this.#source, holder, queue, segment, options);
    const wanted = { ...opened, sequence, fingerprints: () => fingerprintsIn(opened, run) };
    if (choice === null && count === segment.records) return wanted;
    return { ...wanted, records: { [Symbol.iterator]: () => wantedRecords(opened.records, run, choice) } };
  }
}

function fingerprintsIn(opened: OpenedSegment, { skip, count }: SegmentRun): Uint8Array {
  return opened.fingerprints().subarray(skip * FINGERPRINT_BYTES, (skip + count) * FINGERPRINT_BYTES);
}

function* wantedRecords(
  records: Iterable<MessageRecord>,
  { sequence, skip, count }: SegmentRun,
  choice: MessageChoice | null,
): Generator<MessageRecord, void, undefined> {
  let at = 0;
  for (const record of records) {
    if (at >= skip + count) return;
    if (at >= skip && (choice === null || choice.has(sequence + at - skip))) yield record;
    at += 1;
  }
}

/** Every volume needed for this range of these queues is there and has its size. Throws ARCHIVE_DAMAGED, TARGET_*. */
export async function checkVolumes(
  store: Pick<Store, "list" | "location" | "copies">,
  content: RestoreContent,
  queues: readonly QueueEntry[],
  range: SequenceRange,
  options: Abortable,
): Promise<void> {
  const needed = new Map<Manifest, Set<number>>();
  for (const queue of queues) {
    for await (const { holder, segment } of content.runs(queue, range)) {
      const volumes = needed.get(holder) ?? new Set();
      needed.set(holder, volumes.add(segment.volume));
    }
  }
  for (const [holder, numbers] of needed) {
    const prefix = folderPrefix(parseBackupId(holder.id));
    const stored = await sizesAtCopies(store, prefix, options);
    for (const number of numbers) checkVolume(holder, number, stored, store.location);
  }
}

function checkVolume(
  holder: Manifest,
  number: number,
  stored: ReadonlyMap<string, ReadonlySet<number>>,
  location: string,
): void {
  const volume = holder.volumes[number - 1];
  const name = volume?.name ?? `number ${number}`;
  const sizes = stored.get(backupKey(parseBackupId(holder.id), name)) ?? new Set();
  if (volume !== undefined && sizes.has(volume.bytes)) return;
  const why =
    sizes.size === 0 ? "is missing" : `has ${[...sizes].join(" and ")} bytes instead of ${volume?.bytes}`;
  throw new BackupError("ARCHIVE_DAMAGED", `volume ${name} of backup ${holder.id} at ${location} ${why}`, {
    hint: "mqbackup verify shows all that is damaged; restore from another copy or another backup.",
  });
}
