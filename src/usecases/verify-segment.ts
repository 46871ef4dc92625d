import type { QueueEntry, SegmentEntry } from "../domain/manifest.ts";
import { FINGERPRINT_BYTES, readRecords } from "../domain/record.ts";
import type { ArchiveSource } from "../repository/archive-reader.ts";
import { fingerprintRuns, fingerprintsOf, firstDifference } from "../repository/fingerprints.ts";
import type { VerifiedIndex } from "./verified-index.ts";

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
