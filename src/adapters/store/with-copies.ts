import { failedAt, failedEverywhere, isOfWholeTarget, type FailedCopy } from "../../domain/copy-failures.ts";
import type { Fallback, GetOptions, Store } from "../../ports/store.ts";

/**
 * Several stores with copies of the same backups, read as one: each object from the first that has it, and by whoever checks what he
 * reads from the first that has it whole. Listings are of all that can be listed. `onFallback` is told once of each object, and once
 * of a store that is gone altogether. For reading: what is written goes to the first alone.
 */
export function withCopies(
  stores: readonly [Store, ...Store[]],
  onFallback: (fallback: Fallback) => void,
): Store {
  const [first, ...others] = stores;
  if (others.length === 0) return first;
  const reading = new Reading(stores, onFallback);
  return {
    location: stores.map(({ location }) => location).join(" and "),
    copies: { stores, onFallback: (fallback) => reading.tell(fallback) },
    put: async (key, body, options) => first.put(key, body, options),
    get: (key, options) => reading.get(key, options),
    async *list(prefix, options) {
      const found = await reading.all(prefix, (store) => store.list(prefix, options));
      // The first copy's word on an object counts.
      const byKey = new Map(found.toReversed().map((object) => [object.key, object]));
      yield* [...byKey.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
    },
    async *keys(prefix, options) {
      const found = await reading.all(prefix, (store) => store.keys(prefix, options));
      yield* [...new Set(found)].toSorted();
    },
    delete: async (key, options) => first.delete(key, options),
    capacity: async (options) => first.capacity(options),
  };
}

class Reading {
  readonly #stores: readonly Store[];
  readonly #onFallback: (fallback: Fallback) => void;
  readonly #told = new Set<string>();

  constructor(stores: readonly Store[], onFallback: (fallback: Fallback) => void) {
    this.#stores = stores;
    this.#onFallback = onFallback;
  }

  tell(fallback: Fallback): void {
    const wholeTarget = `${fallback.from}\n`;
    const once = isOfWholeTarget(fallback.why) ? wholeTarget : `${wholeTarget}${fallback.key}`;
    if (this.#told.has(once) || this.#told.has(wholeTarget)) return;
    this.#told.add(once);
    this.#onFallback(fallback);
  }

  /** What breaks off is not gone on with from another copy: that may be of other bytes. */
  async *get(key: string, options: GetOptions | undefined): AsyncGenerator<Uint8Array> {
    const failed: FailedCopy[] = [];
    for (const store of this.#stores) {
      let begun = false;
      try {
        for await (const part of store.get(key, options)) {
          if (!begun) this.#tellAll(key, failed, store);
          begun = true;
          yield part;
        }
        return;
      } catch (error) {
        if (begun) throw error;
        failed.push(failedAt(store, error));
      }
    }
    throw failedEverywhere(key, failed);
  }

  /** Of every store that can be asked; throws when none can. */
  async all<T>(prefix: string, listing: (store: Store) => AsyncIterable<T>): Promise<readonly T[]> {
    const found: T[] = [];
    const failed: FailedCopy[] = [];
    const asked: Store[] = [];
    for (const store of this.#stores) {
      try {
        const items: T[] = [];
        for await (const item of listing(store)) items.push(item);
        found.push(...items);
        asked.push(store);
      } catch (error) {
        failed.push(failedAt(store, error));
      }
    }
    const [first] = asked;
    if (first === undefined) throw failedEverywhere(prefix, failed);
    this.#tellAll(prefix, failed, first);
    return found;
  }

  #tellAll(key: string, failed: readonly FailedCopy[], { location: to }: Store): void {
    for (const { location: from, error: why } of failed) this.tell({ key, from, to, why });
  }
}
