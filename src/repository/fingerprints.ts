import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import type { IndexEntry, QueueEntry } from "../domain/manifest.ts";
import { FINGERPRINT_BYTES, fingerprintInputs } from "../domain/record.ts";

/** 16 bytes for each record of a segment, in order. Throws ARCHIVE_DAMAGED, FORMAT_NEWER. */
export function fingerprintsOf(segment: Uint8Array): Uint8Array {
  const fingerprints: Uint8Array[] = [];
  for (const pieces of fingerprintInputs(segment)) {
    const hash = createHash("sha256");
    for (const piece of pieces) hash.update(piece);
    fingerprints.push(hash.digest().subarray(0, FINGERPRINT_BYTES));
  }
  return Buffer.concat(fingerprints);
}

/** A run of fingerprints, all in one entry of the index. */
export interface FingerprintRun {
  readonly entry: IndexEntry;
  /** Fingerprints of the entry before it. */
  readonly skip: number;
  /** Place of its first record within the queue's own segments. */
  readonly first: number;
  readonly count: number;
}

/**
 * Where the index has the fingerprints of records held by this backup: the index is in queue order, and a queue may consist of
 * records of other backups too.
 */
export function* fingerprintRuns(queue: QueueEntry, first: number, count: number): Generator<FingerprintRun> {
  let sequence = 0;
  for (const range of queue.content) {
    const from = Math.max(first, range.first);
    const taken = Math.min(first + count, range.first + range.count) - from;
    if (range.kind === "new" && taken > 0) yield* runsAt(queue, sequence + from - range.first, from, taken);
    sequence += range.count;
  }
}

function* runsAt(
  queue: QueueEntry,
  sequence: number,
  first: number,
  count: number,
): Generator<FingerprintRun> {
  let at = 0;
  for (const entry of queue.index) {
    const from = Math.max(sequence, at);
    const taken = Math.min(sequence + count, at + entry.records) - from;
    if (taken > 0) yield { entry, skip: from - at, first: first + from - sequence, count: taken };
    at += entry.records;
  }
}
