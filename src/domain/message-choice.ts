const BITS = 8;

/** Some of a queue's messages: a bit for each, whatever the queue holds. */
export class MessageChoice {
  /** Messages of the queue. */
  readonly #total: number;
  readonly #bits: Uint8Array;
  #count = 0;
  #bodyBytes = 0;

  constructor(total: number) {
    this.#total = total;
    this.#bits = new Uint8Array(Math.ceil(total / BITS));
  }

  get count(): number {
    return this.#count;
  }

  /** Of all that are chosen. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** Each message once. */
  add(sequence: number, bodyBytes: number): void {
    const at = Math.floor(sequence / BITS);
    this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (sequence % BITS));
    this.#count += 1;
    this.#bodyBytes += bodyBytes;
  }

  has(sequence: number): boolean {
    return ((this.#bits[Math.floor(sequence / BITS)] ?? 0) & (1 << (sequence % BITS))) !== 0;
  }

  /** One of `count` messages from `sequence` on is chosen. */
  hasAny(sequence: number, count: number): boolean {
    for (let at = sequence; at < sequence + count; at += 1) if (this.has(at)) return true;
    return false;
  }

  /** Where chosen message number `number`, from 0, stands in the queue; behind its last message when there are not so many. */
  sequenceOf(number: number): number {
    let left = number;
    for (let at = 0; at < this.#total; at += 1) {
      if (at % BITS === 0 && this.#bits[at / BITS] === 0) {
        at += BITS - 1;
        continue;
      }
      if (this.has(at) && left-- === 0) return at;
    }
    return this.#total;
  }
}
