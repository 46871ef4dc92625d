export interface UploadClock {
  /** Milliseconds since any moment. */
  now(): number;
  /** Rejects with the signal's reason. */
  sleep(ms: number, signal: AbortSignal | undefined): Promise<void>;
}

/** How much may go at once: smooth for who shares the line, and no timer for every packet. */
const PIECE_MS = 50;
const LARGEST_PIECE = 64 * 1024;

/**
 * Keeps all that takes from it together to a rate, in the order of asking. What was not used is saved up for two pieces and no longer:
 * a timer that is late costs nothing, and nobody gets a burst.
 */
export class UploadRate {
  readonly #bytesPerMs: number;
  readonly #pieceBytes: number;
  readonly #clock: UploadClock;
  #freeAt = -Infinity;

  constructor(bytesPerSecond: number, clock: UploadClock) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#pieceBytes = Math.max(1, Math.min(LARGEST_PIECE, Math.floor(this.#bytesPerMs * PIECE_MS)));
    this.#clock = clock;
  }

  /** The same bytes in small pieces, each when it may go. */
  async *paced(
    parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    for await (const part of parts) {
      for (let at = 0; at < part.length; at += this.#pieceBytes) {
        const piece = part.subarray(at, at + this.#pieceBytes);
        await this.#take(piece.length, signal);
        yield piece;
      }
    }
  }

  async #take(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const now = this.#clock.now();
    this.#freeAt = Math.max(this.#freeAt, now - 2 * PIECE_MS) + bytes / this.#bytesPerMs;
    const waitMs = this.#freeAt - now;
    if (waitMs > 1) await this.#clock.sleep(waitMs, signal);
  }
}
