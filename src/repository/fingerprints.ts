import crypto from "node:crypto";
import { Buffer } from "node:buffer";
import type { IndexEntry, QueueEntry } from "../domain/manifest.ts";
import { FINGERPRINT_BYTES, fingerprintInputs } from "../domain/record.ts";

/** 16 bytes for each record of a segment, in order. Throws ARCHIVE_DAMAGED, FORMAT_NEWER. */
export function fingerprintsOf(segment: Uint8Array): Uint8Array {
  // Strings of one character a byte: half the time of a Buffer for each record.
  const fingerprints: string[] = [];
  for (const pieces of fingerprintInputs(segment)) {
    fingerprints.push(sha256(pieces).slice(0, FINGERPRINT_BYTES));
  }
  return Buffer.from(fingerprints.join(""), "latin1");
}

/** Number of the first fingerprint of `stored` that `taken`, which is as long or longer, does not have in its place. */
export function firstDifference(taken: Uint8Array, stored: Uint8Array): number | null {
  if (Buffer.compare(taken.subarray(0, stored.length), stored) === 0) return null;
  return Math.floor(stored.findIndex((byte, at) => byte !== taken[at]) / FINGERPRINT_BYTES);
}

/** A run of a queue's own records, whose fingerprints are all in one entry of the index. */
export interface FingerprintRun {
  readonly entry: IndexEntry;
  /** Fingerprints of the entry before it. */
  readonly skip: number;
  /** Place of its first record within the queue's own segments. */
  readonly first: number;
  readonly count: number;
}

/** Where the index has the fingerprints of `count` of the queue's own records. */
export function* fingerprintRuns(queue: QueueEntry, first: number, count: number): Generator<FingerprintRun> {
  let at = 0;
  for (const entry of queue.index) {
    const from = Math.max(first, at);
    const taken = Math.min(first + count, at + entry.records) - from;
    if (taken > 0) yield { entry, skip: from - at, first: from, count: taken };
    at += entry.records;
  }
}

function sha256(pieces: readonly Uint8Array[]): string {
  const [only] = pieces;
  // The one-shot form is quicker for small records; Node has it from 20.12.
  if (pieces.length === 1 && only !== undefined && "hash" in crypto)
    return crypto.hash("sha256", only, "binary");
  const hash = crypto.createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("binary");
}
