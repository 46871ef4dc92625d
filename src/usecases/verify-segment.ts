import { hasCode } from "../domain/errors.ts";
import type { IndexEntry, Manifest, QueueEntry, SegmentEntry } from "../domain/manifest.ts";
import { FINGERPRINT_BYTES, readRecords } from "../domain/record.ts";
import type { Abortable } from "../ports/abortable.ts";
import { readFingerprints, type ArchiveSource } from "../repository/archive-reader.ts";
import { fingerprintRuns, fingerprintsOf, firstDifference } from "../repository/fingerprints.ts";

/** What a segment was found to hold. */
export interface VerifiedSegment {
  readonly bodyBytes: number;
  /** Number, within the segment and from 0, of a record that the index does not have so; null: all agree. */
  readonly differs: number | null;
}

/** Decodes every record. Throws ARCHIVE_DAMAGED, FORMAT_NEWER, and as the index. */
export async function verifySegment(
  codec: ArchiveSource["codec"],
  index: VerifiedIndex,
  { queue, segment }: { readonly queue: QueueEntry; readonly segment: SegmentEntry },
  frames: Uint8Array,
): Promise<VerifiedSegment> {
  const plain = await codec.open(frames, segment);
  let bodyBytes = 0;
  for (const { body } of readRecords(plain, segment.records)) bodyBytes += body.length;
  const taken = fingerprintsOf(plain);
  for (const { entry, skip, first, count } of fingerprintRuns(queue, segment.first, segment.records)) {
    const stored = await index.read(entry);
    if (stored === null) continue;
    const at = firstDifference(
      taken.subarray((first - segment.first) * FINGERPRINT_BYTES),
      stored.subarray(skip * FINGERPRINT_BYTES, (skip + count) * FINGERPRINT_BYTES),
    );
    if (at !== null) return { bodyBytes, differs: first - segment.first + at };
  }
  return { bodyBytes, differs: null };
}

/** Entries kept in memory: about as many as queues were read at once, 1 MiB each. */
const KEPT_ENTRIES = 16;

/** The fingerprints of one backup while its segments pass by. */
export class VerifiedIndex {
  readonly #source: ArchiveSource;
  readonly #manifest: Manifest;
  readonly #options: Abortable;
  readonly #broken = new Set<IndexEntry>();
  readonly #kept = new Map<IndexEntry, Uint8Array>();

  constructor(source: ArchiveSource, manifest: Manifest, options: Abortable) {
    this.#source = source;
    this.#manifest = manifest;
    this.#options = options;
  }

  /** It was found damaged, and said so: nothing is compared with it. */
  giveUp(entry: IndexEntry): void {
    this.#broken.add(entry);
  }

  /** null: given up. Throws as `readFingerprints`, once for an entry. */
  async read(entry: IndexEntry): Promise<Uint8Array | null> {
    if (this.#broken.has(entry)) return null;
    const kept = this.#kept.get(entry);
    if (kept !== undefined) return kept;
    const fingerprints = await this.#fetch(entry);
    this.#kept.set(entry, fingerprints);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_ENTRIES && oldest !== undefined) this.#kept.delete(oldest);
    return fingerprints;
  }

  async #fetch(entry: IndexEntry): Promise<Uint8Array> {
    try {
      return await readFingerprints(this.#source, this.#manifest, entry, this.#options);
    } catch (error) {
      if (hasCode(error, "ARCHIVE_DAMAGED", "OBJECT_MISSING")) this.giveUp(entry);
      throw error;
    }
  }
}
