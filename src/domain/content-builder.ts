import type { ContentRange, QueueEntry } from "./manifest.ts";
import { NEW } from "./sequence-diff.ts";

type KeptRange = Extract<ContentRange, { readonly kind: "kept" }>;

/** Messages of one piece of a queue, counted from its first. */
export interface Stretch {
  readonly first: number;
  readonly count: number;
}

/**
 * Ranges kept in one piece of a queue at most; the shortest beyond are stored again. However a queue was shuffled, a manifest stays
 * small against what it describes, and a restore need not open a segment for every message.
 */
const MOST_RANGES = 64;

interface KeptRun extends Stretch {
  readonly range: KeptRange;
}

/** Builds the content of a queue out of what its base holds and what is new. */
export class ContentBuilder {
  readonly #base: readonly KeptRange[];
  /** Position in the base of the first message of each range. */
  readonly #starts: readonly number[];
  readonly #content: ContentRange[] = [];
  #stored = 0;
  #nearby = 0;

  /** `base`: what the base's queue consists of, wherever it lies; see `heldContent`. */
  constructor(base: readonly KeptRange[]) {
    this.#base = base;
    let start = 0;
    this.#starts = base.map(({ count }) => {
      start += count;
      return start - count;
    });
  }

  get content(): readonly ContentRange[] {
    return this.#content;
  }

  /** The queue's next messages: for each its position in the base, or NEW. Gives those that must be stored. */
  add(positions: Int32Array): Stretch[] {
    const stored: Stretch[] = [];
    let at = 0;
    for (const run of longest(this.#runs(positions))) {
      this.#store({ first: at, count: run.first - at }, stored);
      this.#append(run.range);
      at = run.first + run.count;
    }
    this.#store({ first: at, count: positions.length - at }, stored);
    return stored;
  }

  /** What the base has from `position` on. */
  keepFrom(position: number): void {
    for (const [at, range] of this.#base.entries()) {
      const skip = Math.max(0, position - (this.#starts[at] ?? 0));
      if (skip < range.count)
        this.#append({ ...range, first: range.first + skip, count: range.count - skip });
    }
  }

  #store(stretch: Stretch, stored: Stretch[]): void {
    if (stretch.count === 0) return;
    stored.push(stretch);
    this.#append({ kind: "new", first: this.#stored, count: stretch.count });
    this.#stored += stretch.count;
  }

  #append(range: ContentRange): void {
    const last = this.#content.at(-1);
    const joined = last && join(last, range);
    if (joined) this.#content[this.#content.length - 1] = joined;
    else this.#content.push(range);
  }

  #runs(positions: Int32Array): KeptRun[] {
    const runs: KeptRun[] = [];
    for (let at = 0; at < positions.length;) {
      const position = positions[at] ?? NEW;
      if (position === NEW) {
        at += 1;
        continue;
      }
      const { range, left } = this.#placeOf(position);
      let count = 1;
      while (count < left && positions[at + count] === position + count) count += 1;
      runs.push({ first: at, count, range: { ...range, count } });
      at += count;
    }
    return runs;
  }

  /** Where the base has it, and how many from there on lie one after another. */
  #placeOf(position: number): { readonly range: KeptRange; readonly left: number } {
    if (!this.#isIn(position, this.#nearby)) this.#nearby = this.#search(position);
    const range = this.#base[this.#nearby];
    const skip = position - (this.#starts[this.#nearby] ?? 0);
    if (range === undefined || skip >= range.count)
      throw new RangeError(`the base has no message ${position}`);
    return { range: { ...range, first: range.first + skip }, left: range.count - skip };
  }

  #isIn(position: number, at: number): boolean {
    return position >= (this.#starts[at] ?? Infinity) && position < (this.#starts[at + 1] ?? Infinity);
  }

  #search(position: number): number {
    let [low, high] = [0, this.#starts.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? Infinity) > position) high = middle;
      else low = middle + 1;
    }
    return low - 1;
  }
}

/** What a queue of a backup consists of, as another backup would name it. */
export function heldContent(backup: string, { ordinal, content }: QueueEntry): KeptRange[] {
  return content.map((range) =>
    range.kind === "kept" ? range : { kind: "kept", backup, ordinal, first: range.first, count: range.count },
  );
}

/** In their order. */
function longest(runs: readonly KeptRun[]): readonly KeptRun[] {
  if (runs.length <= MOST_RANGES) return runs;
  const kept = runs.toSorted((a, b) => b.count - a.count).slice(0, MOST_RANGES);
  return kept.toSorted((a, b) => a.first - b.first);
}

function join(a: ContentRange, b: ContentRange): ContentRange | null {
  if (a.first + a.count !== b.first) return null;
  if (a.kind === "kept" && (b.kind !== "kept" || a.backup !== b.backup || a.ordinal !== b.ordinal))
    return null;
  return a.kind === b.kind ? { ...a, count: a.count + b.count } : null;
}
