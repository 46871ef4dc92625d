import { BasePositions } from "./base-positions.ts";
import { FINGERPRINT_BYTES } from "./record.ts";

/** A message the base does not have. */
export const NEW = -1;

/**
 * Finds the messages of a queue in an earlier reading of it, the base, one after another: while both agree it goes along; where they
 * do not, it looks the fingerprint up and goes on from there. Every position of the base is used once, the nearest first, so that
 * identical messages are told apart by their number and their order, as the queue had them.
 */
export class SequenceDiff {
  readonly #base: BasePositions;
  /** Where the next message is expected. */
  #expected = 0;

  /** `base`: its fingerprints in queue order, 16 bytes each. About 30 bytes a message with them, of which half are the fingerprints. */
  constructor(base: Uint8Array) {
    this.#base = new BasePositions(wordsOf(base));
  }

  /** For each of the queue's next fingerprints the position of the same message in the base, or NEW. */
  match(fingerprints: Uint8Array): Int32Array {
    const words = wordsOf(fingerprints);
    const positions = new Int32Array(fingerprints.length / FINGERPRINT_BYTES);
    for (let at = 0; at < positions.length; at += 1) positions[at] = this.#next(words, at);
    return positions;
  }

  #next(words: Uint32Array, at: number): number {
    const base = this.#base;
    const expected = this.#expected;
    const agrees = expected < base.count && base.equals(expected, words, at) && !base.isUsed(expected);
    const position = agrees ? expected : base.nearest(words, at, expected);
    if (position < 0) return NEW;
    base.use(position);
    this.#expected = position + 1;
    return position;
  }
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const aligned = bytes.byteOffset % Uint32Array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length / Uint32Array.BYTES_PER_ELEMENT);
}
