const MOST_KEPT_BYTES = 64 * 1024 * 1024;

/**
 * Large pieces of memory that are used again and again. Getting them anew for each segment costs more than filling them; and being
 * shared between threads, they set off no garbage collection as they go to and fro.
 */
export class MemoryPool {
  /** The oldest first. */
  readonly #kept: SharedArrayBuffer[] = [];
  #keptBytes = 0;

  /** Exactly so large; it may hold what it held before. */
  take(bytes: number): SharedArrayBuffer {
    const at = this.#kept.findIndex(({ byteLength }) => byteLength === bytes);
    const [kept] = at < 0 ? [] : this.#kept.splice(at, 1);
    if (kept === undefined) return new SharedArrayBuffer(bytes);
    this.#keptBytes -= bytes;
    return kept;
  }

  /** Nobody looks at it any more. */
  giveBack(memory: SharedArrayBuffer): void {
    this.#kept.push(memory);
    this.#keptBytes += memory.byteLength;
    while (this.#keptBytes > MOST_KEPT_BYTES) this.#keptBytes -= this.#kept.shift()?.byteLength ?? 0;
  }
}
