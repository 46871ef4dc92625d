/** Takes some of `total` things that come one after another: any choice of so many is as likely as any other. */
export class RandomSample {
  readonly #random: () => number;
  #coming: number;
  #wanted: number;

  /** `part`: from 0 to 1; rounded up, so that something is taken of whatever there is. `random`: from 0 to below 1. */
  constructor(total: number, part: number, random: () => number) {
    this.#coming = total;
    this.#wanted = Math.min(total, Math.ceil(total * part));
    this.#random = random;
  }

  /** Whether the next one is taken. Beyond `total` none is. */
  takes(): boolean {
    const taken = this.#random() * this.#coming < this.#wanted;
    this.#coming -= 1;
    if (taken) this.#wanted -= 1;
    return taken;
  }
}
