/** Smaller pieces are not worth keeping. */
const LEAST_KEPT = 64 * 1024;
const MOST_KEPT_BYTES = 64 * 1024 * 1024;

/**
 * Large pieces of memory that are used again and again: getting them anew for each segment costs more than filling them, and leaves
 * them to a garbage collector that comes late.
 */
export class MemoryPool<M extends ArrayBuffer | SharedArrayBuffer> {
  readonly #create: (bytes: number) => M;
  /** The oldest first. */
  readonly #kept: M[] = [];
  #keptBytes = 0;

  constructor(create: (bytes: number) => M) {
    this.#create = create;
  }

  /** Exactly so large; it may hold what it held before. */
  take(bytes: number): M {
    const at = this.#kept.findIndex(({ byteLength }) => byteLength === bytes);
    const [kept] = at < 0 ? [] : this.#kept.splice(at, 1);
    if (kept === undefined) return this.#create(bytes);
    this.#keptBytes -= bytes;
    return kept;
  }

  /** Nobody else looks at it any more. */
  giveBack(memory: M): void {
    if (memory.byteLength < LEAST_KEPT) return;
    this.#kept.push(memory);
    this.#keptBytes += memory.byteLength;
    while (this.#keptBytes > MOST_KEPT_BYTES) this.#keptBytes -= this.#kept.shift()?.byteLength ?? 0;
  }
}
