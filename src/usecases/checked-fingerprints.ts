import { BackupError } from "../domain/errors.ts";
import type { QueueEntry } from "../domain/manifest.ts";
import { describeQueue } from "../domain/queue.ts";
import { FINGERPRINT_BYTES } from "../domain/record.ts";
import { firstDifference } from "../repository/fingerprints.ts";

/** Compares the fingerprints taken of a queue's messages with those that are on record for them. */
export class CheckedFingerprints implements AsyncDisposable {
  readonly #queue: QueueEntry;
  readonly #expected: AsyncGenerator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #messages = 0;

  /** `expected`: pieces of any length, together those of the whole queue in its order. */
  constructor(queue: QueueEntry, expected: AsyncGenerator<Uint8Array>) {
    this.#queue = queue;
    this.#expected = expected;
  }

  /** The next ones. Throws ARCHIVE_DAMAGED naming the first message that differs, and as `expected`. */
  async check(taken: Uint8Array): Promise<void> {
    let rest = taken;
    while (rest.length > 0) {
      if (this.#piece.length === 0) this.#piece = await this.#next();
      const bytes = Math.min(rest.length, this.#piece.length);
      const differs = firstDifference(rest, this.#piece.subarray(0, bytes));
      if (differs !== null) throw this.#damaged(this.#messages + differs);
      this.#messages += bytes / FINGERPRINT_BYTES;
      rest = rest.subarray(bytes);
      this.#piece = this.#piece.subarray(bytes);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#expected.return(undefined);
  }

  async #next(): Promise<Uint8Array> {
    const { done, value } = await this.#expected.next();
    if (done === true) throw this.#damaged(this.#messages);
    return value;
  }

  #damaged(message: number): BackupError {
    return new BackupError(
      "ARCHIVE_DAMAGED",
      `message ${message} of ${describeQueue(this.#queue)} does not have the fingerprint that was taken of it`,
      { hint: "mqbackup verify --records shows all that is damaged; take a full backup with mqbackup full." },
    );
  }
}
