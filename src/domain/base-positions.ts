/** Words of 32 bits in a fingerprint. */
const WORDS = 4;
/** Fingerprints of the base in one bucket, on the average. */
const BUCKET = 4;
/** Buckets up to here are sorted by insertion. */
const SHORT = 32;

/**
 * Where a fingerprint lies in a base, among the positions not used yet; nearest first. 13 bytes a message in arrays of numbers, besides
 * the fingerprints themselves: ten million messages are possible.
 */
export class BasePositions {
  readonly #words: Uint32Array;
  readonly #count: number;
  /** Positions by bucket, in it by fingerprint, then ascending. */
  readonly #order: Uint32Array;
  /** Where each bucket begins in `#order`. */
  readonly #heads: Uint32Array;
  readonly #shift: number;
  /** One bit a position. */
  readonly #used: Uint8Array;
  /** From a used place of `#order`, a place further on before which all are used; 0: the next. */
  readonly #ahead: Uint32Array;
  /** The same backwards, plus one. */
  readonly #behind: Uint32Array;

  /** `words`: four 32-bit words for each message of the base, in queue order. */
  constructor(words: Uint32Array) {
    this.#words = words;
    this.#count = words.length / WORDS;
    const bits = Math.max(1, Math.ceil(Math.log2(Math.max(2, this.#count / BUCKET))));
    this.#shift = 32 - bits;
    this.#heads = new Uint32Array(2 ** bits + 1);
    this.#order = new Uint32Array(this.#count);
    this.#used = new Uint8Array(Math.ceil(this.#count / 8));
    this.#ahead = new Uint32Array(this.#count);
    this.#behind = new Uint32Array(this.#count);
    this.#fill();
  }

  get count(): number {
    return this.#count;
  }

  isUsed(position: number): boolean {
    return ((this.#used[position >> 3] ?? 0) & (1 << (position & 7))) !== 0;
  }

  use(position: number): void {
    this.#used[position >> 3] = (this.#used[position >> 3] ?? 0) | (1 << (position & 7));
  }

  /** Whether the base has at `position` what `words` has as number `at`. */
  equals(position: number, words: Uint32Array, at: number): boolean {
    const mine = position * WORDS;
    const other = at * WORDS;
    return (
      this.#words[mine] === words[other] &&
      this.#words[mine + 1] === words[other + 1] &&
      this.#words[mine + 2] === words[other + 2] &&
      this.#words[mine + 3] === words[other + 3]
    );
  }

  /** The unused position nearest to `near` that has number `at` of `words`, the later of two; -1: none. */
  nearest(words: Uint32Array, at: number, near: number): number {
    const bucket = this.#bucketOf(words[at * WORDS] ?? 0);
    const begin = this.#heads[bucket] ?? 0;
    const end = this.#heads[bucket + 1] ?? 0;
    const first = this.#search(begin, end, (place) => this.#compareTo(place, words, at) >= 0);
    const last = this.#search(first, end, (place) => this.#compareTo(place, words, at) > 0);
    if (first === last) return -1;
    const from = this.#search(first, last, (place) => this.#positionAt(place) >= near);
    const later = this.#unusedFrom(from, last);
    const earlier = this.#unusedBefore(from, first);
    if (later < 0 || earlier < 0) return later < 0 ? earlier : later;
    return later - near <= near - earlier ? later : earlier;
  }

  #fill(): void {
    const heads = this.#heads;
    for (let position = 0; position < this.#count; position += 1) {
      const bucket = this.#bucketOf(this.#words[position * WORDS] ?? 0);
      heads[bucket + 1] = (heads[bucket + 1] ?? 0) + 1;
    }
    for (let bucket = 1; bucket < heads.length; bucket += 1) {
      heads[bucket] = (heads[bucket] ?? 0) + (heads[bucket - 1] ?? 0);
    }
    // Filled from behind, every head ends where its bucket begins.
    const next = heads.slice(1);
    for (let position = this.#count - 1; position >= 0; position -= 1) {
      const bucket = this.#bucketOf(this.#words[position * WORDS] ?? 0);
      const place = (next[bucket] ?? 0) - 1;
      next[bucket] = place;
      this.#order[place] = position;
    }
    for (let bucket = 0; bucket + 1 < heads.length; bucket += 1) {
      this.#sort(heads[bucket] ?? 0, heads[bucket + 1] ?? 0);
    }
  }

  /** By fingerprint; positions are ascending already, and stay so where fingerprints are equal. */
  #sort(begin: number, end: number): void {
    if (this.#isSorted(begin, end)) return;
    if (end - begin > SHORT) {
      this.#order.subarray(begin, end).sort((a, b) => this.#compare(a, b) || a - b);
      return;
    }
    for (let i = begin + 1; i < end; i += 1) {
      const position = this.#positionAt(i);
      let to = i;
      while (to > begin && this.#compare(this.#positionAt(to - 1), position) > 0) {
        this.#order[to] = this.#positionAt(to - 1);
        to -= 1;
      }
      this.#order[to] = position;
    }
  }

  #isSorted(begin: number, end: number): boolean {
    for (let i = begin + 1; i < end; i += 1) {
      if (this.#compare(this.#positionAt(i - 1), this.#positionAt(i)) > 0) return false;
    }
    return true;
  }

  #bucketOf(word: number): number {
    return word >>> this.#shift;
  }

  #positionAt(place: number): number {
    return this.#order[place] ?? 0;
  }

  #compare(a: number, b: number): number {
    return compareWords(this.#words, a, this.#words, b);
  }

  #compareTo(place: number, words: Uint32Array, at: number): number {
    return compareWords(this.#words, this.#positionAt(place), words, at);
  }

  /** The first place of [begin, end) where it holds, given that it holds from there on; `end`: nowhere. */
  #search(begin: number, end: number, holds: (place: number) => boolean): number {
    let [low, high] = [begin, end];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #unusedFrom(from: number, end: number): number {
    let place = from;
    while (place < end && this.isUsed(this.#positionAt(place))) {
      place = Math.max(place + 1, this.#ahead[place] ?? 0);
    }
    for (let i = from; i < place && i < end;) {
      const next = Math.max(i + 1, this.#ahead[i] ?? 0);
      this.#ahead[i] = place;
      i = next;
    }
    return place < end ? this.#positionAt(place) : -1;
  }

  #unusedBefore(from: number, begin: number): number {
    let place = from - 1;
    while (place >= begin && this.isUsed(this.#positionAt(place))) place = this.#before(place);
    for (let i = from - 1; i > place && i >= begin;) {
      const next = this.#before(i);
      this.#behind[i] = place + 2;
      i = next;
    }
    return place >= begin ? this.#positionAt(place) : -1;
  }

  #before(place: number): number {
    const known = this.#behind[place] ?? 0;
    return known === 0 ? place - 1 : known - 2;
  }
}

function compareWords(a: Uint32Array, i: number, b: Uint32Array, j: number): number {
  for (let word = 0; word < WORDS; word += 1) {
    const difference = (a[i * WORDS + word] ?? 0) - (b[j * WORDS + word] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
