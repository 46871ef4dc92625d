import { BackupError } from "../domain/errors.ts";
import type { QueueEntry } from "../domain/manifest.ts";
import type { MessageChoice } from "../domain/message-choice.ts";
import { FINGERPRINT_BYTES } from "../domain/record.ts";
import { describeQueue } from "../domain/queue.ts";
import type { SequenceRange } from "../domain/sequence-range.ts";
import type { Abortable } from "../ports/abortable.ts";
import { firstDifference } from "../repository/fingerprints.ts";
import { RestoreContent, type WantedSegment } from "./restore-content.ts";

/**
 * Content that is only given out, whole queues of it, where it has the fingerprints that were taken while the queue was read. A queue that was gone
 * through to its end is not checked again.
 */
export class FingerprintedContent extends RestoreContent {
  readonly #checked = new Set<QueueEntry>();

  /** Throws ARCHIVE_DAMAGED besides for a message that has another fingerprint. */
  override async *segmentsBetween(
    queue: QueueEntry,
    range: SequenceRange,
    options: Abortable & { readonly choice?: MessageChoice | null } = {},
  ): AsyncGenerator<WantedSegment, void, undefined> {
    const isWhole = range.from === 0 && range.to === null && (options.choice ?? null) === null;
    if (!isWhole || this.#checked.has(queue)) {
      yield* super.segmentsBetween(queue, range, options);
      return;
    }
    const stored = this.fingerprints(queue, options);
    try {
      const index = new IndexReader(stored);
      for await (const segment of super.segmentsBetween(queue, range, options)) {
        const differs = await index.firstDifference(segment.fingerprints());
        if (differs !== null) throw notFingerprinted(queue, differs);
        yield segment;
      }
      this.#checked.add(queue);
    } finally {
      await stored.return(undefined);
    }
  }
}

/** The fingerprints of one queue, taken as they are needed. */
class IndexReader {
  readonly #pieces: AsyncGenerator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array();
  #messages = 0;

  constructor(pieces: AsyncGenerator<Uint8Array>) {
    this.#pieces = pieces;
  }

  /** Compares those that come next; the number of the first message in the queue, from 0, that has another one. */
  async firstDifference(taken: Uint8Array): Promise<number | null> {
    for (let at = 0; at < taken.length;) {
      if (this.#piece.length === 0) await this.#advance();
      const length = Math.min(this.#piece.length, taken.length - at);
      // The index has none for it: that is a difference too.
      if (length === 0) return this.#messages;
      const expected = this.#piece.subarray(0, length);
      const differs = firstDifference(taken.subarray(at, at + length), expected);
      if (differs !== null) return this.#messages + differs;
      this.#piece = this.#piece.subarray(length);
      this.#messages += length / FINGERPRINT_BYTES;
      at += length;
    }
    return null;
  }

  async #advance(): Promise<void> {
    const next = await this.#pieces.next();
    this.#piece = next.done === true ? new Uint8Array() : next.value;
  }
}

function notFingerprinted(queue: QueueEntry, sequence: number): BackupError {
  return new BackupError(
    "ARCHIVE_DAMAGED",
    `message ${sequence + 1} of ${describeQueue(queue)} is not the one whose fingerprint was taken when the queue was read`,
    { hint: "mqbackup verify shows all that is damaged; restore from another copy or another backup." },
  );
}
