import { BackupError } from "../../domain/errors.ts";
import type { ObjectBody, Store } from "../../ports/store.ts";

export interface Patience {
  /** Nothing of a call moves for so long: it has failed. A part of a body that is asked for is a move, and so is an item that is given. */
  readonly stallMs: number;
  /** The same, from a first such failure on until something moves again. */
  readonly afterStallMs: number;
  /** For a call that was broken off to end by itself: it should not be at work any more when its failure is told. */
  readonly graceMs: number;
}

/** A store that answers, or fails with TARGET_FAILED: no call hangs, not even one that pays no heed to its signal. */
export function withPatience(store: Store, patience: Patience): Store {
  const { location } = store;
  let stalled = false;

  /** `work` is given what it is to heed, and what it calls when something moved. */
  async function watched<T>(
    doing: string,
    outer: AbortSignal | undefined,
    work: (signal: AbortSignal, moved: () => void) => Promise<T>,
  ): Promise<T> {
    outer?.throwIfAborted();
    const ending = new AbortController();
    const timers: NodeJS.Timeout[] = [];
    const hung = new Promise<never>((_, reject) => {
      const breakOff = (reason: unknown): void => {
        ending.abort(reason);
        timers.push(setTimeout(() => reject(reason), patience.graceMs));
      };
      const onAbort = (): void => breakOff(outer?.reason);
      outer?.addEventListener("abort", onAbort, { once: true, signal: ending.signal });
      const ms = stalled ? patience.afterStallMs : patience.stallMs;
      const stall = setTimeout(() => {
        stalled = true;
        breakOff(tooSlow(location, doing, ms));
      }, ms);
      timers.push(stall);
    });
    hung.catch(() => undefined);
    const moved = (): void => {
      stalled = false;
      if (!ending.signal.aborted) timers[0]?.refresh();
    };
    try {
      const result = await Promise.race([work(ending.signal, moved), hung]);
      stalled = false;
      return result;
    } finally {
      for (const timer of timers) clearTimeout(timer);
      // The listener goes with it.
      ending.abort();
    }
  }

  /** Time between two items is the reader's. */
  async function* each<T>(
    doing: string,
    outer: AbortSignal | undefined,
    open: (signal: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    const ending = new AbortController();
    const items = open(ending.signal)[Symbol.asyncIterator]();
    let hung = false;
    try {
      for (;;) {
        const { done, value } = await watched(doing, outer, async (during) => {
          const onAbort = (): void => {
            hung = true;
            ending.abort(during.reason);
          };
          during.addEventListener("abort", onAbort, { once: true });
          const next = await items.next();
          during.removeEventListener("abort", onAbort);
          hung = false;
          return next;
        });
        if (done === true) return;
        yield value;
      }
    } finally {
      const closed = items.return?.();
      if (hung) closed?.catch(() => undefined);
      else await closed;
    }
  }

  return {
    ...store,
    put: async (key, body, options = {}) =>
      watched(`putting ${key}`, options.signal, async (signal, moved) =>
        store.put(key, moving(body, moved), { ...options, signal }),
      ),
    get: (key, options = {}) =>
      each(`reading ${key}`, options.signal, (signal) => store.get(key, { ...options, signal })),
    list: (prefix, options = {}) =>
      each(`listing ${prefix}`, options.signal, (signal) => store.list(prefix, { signal })),
    keys: (prefix, options = {}) =>
      each(`listing ${prefix}`, options.signal, (signal) => store.keys(prefix, { signal })),
    delete: async (key, options = {}) =>
      watched(`deleting ${key}`, options.signal, async (signal) => store.delete(key, { signal })),
    capacity: async (options = {}) =>
      watched("asking for the capacity", options.signal, async (signal) => store.capacity({ signal })),
  };
}

function moving(body: ObjectBody, moved: () => void): ObjectBody {
  return {
    ...body,
    async *open() {
      for await (const part of body.open()) {
        moved();
        yield part;
      }
    },
  };
}

function tooSlow(location: string, doing: string, ms: number): BackupError {
  const took = ms < 60_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`;
  return new BackupError("TARGET_FAILED", `${location} has not moved for ${took} while ${doing}`, {
    hint: "Look whether the target is reachable: a network file system may hang, a server may be overloaded.",
  });
}
