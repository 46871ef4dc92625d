/** Lets through, for each key, one event a second. */
export class Throttle {
  readonly #everyMs: number;
  readonly #last = new Map<string, number>();

  constructor(everyMs = 1000) {
    this.#everyMs = everyMs;
  }

  isDue(key: string, now = Date.now()): boolean {
    const last = this.#last.get(key);
    if (last !== undefined && now - last < this.#everyMs) return false;
    this.#last.set(key, now);
    return true;
  }
}
