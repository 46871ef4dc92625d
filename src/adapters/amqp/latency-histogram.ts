/** Two buckets differ by 5 %. */
const RATIO = 1.05;
const SMALLEST_MS = 0.01;

/** Durations in buckets that grow geometrically: percentiles of any number of samples in a few hundred numbers. */
export class LatencyHistogram {
  readonly #buckets = new Map<number, number>();
  #samples = 0;

  add(milliseconds: number): void {
    const bucket = Math.max(
      0,
      Math.ceil(Math.log(Math.max(milliseconds, SMALLEST_MS) / SMALLEST_MS) / Math.log(RATIO)),
    );
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#samples++;
  }

  /** The duration that `share` (0 to 1) of the samples did not exceed, to within 5 %; null without samples. */
  percentile(share: number): number | null {
    if (this.#samples === 0) return null;
    let left = Math.ceil(this.#samples * share);
    for (const bucket of [...this.#buckets.keys()].toSorted((a, b) => a - b)) {
      left -= this.#buckets.get(bucket) ?? 0;
      if (left <= 0) return SMALLEST_MS * RATIO ** bucket;
    }
    return null;
  }
}
