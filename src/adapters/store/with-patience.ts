import type { ObjectBody, Store } from "../../ports/store.ts";
import { PatienceWatch, type Patience, type StallState } from "./patience-watch.ts";

/** A store that answers, or fails with TARGET_FAILED: no call hangs, not even one that pays no heed to its signal. */
export function withPatience(store: Store, patience: Patience): Store {
  const state: StallState = { location: store.location, patience, stalled: false };

  /** `work` is given what it is to heed, and what it calls when something moved. */
  async function watched<T>(
    doing: string,
    outer: AbortSignal | undefined,
    work: (signal: AbortSignal, moved: () => void) => Promise<T>,
  ): Promise<T> {
    outer?.throwIfAborted();
    const watch = new PatienceWatch(state, doing, outer);
    try {
      return await watch.step(async () => work(watch.signal, () => watch.moved()));
    } finally {
      watch.close();
    }
  }

  async function* each<T>(
    doing: string,
    outer: AbortSignal | undefined,
    open: (signal: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    outer?.throwIfAborted();
    const watch = new PatienceWatch(state, doing, outer);
    const items = open(watch.signal)[Symbol.asyncIterator]();
    const next = async (): Promise<IteratorResult<T>> => items.next();
    try {
      for (;;) {
        const { done, value } = await watch.step(next);
        if (done === true) return;
        yield value;
      }
    } finally {
      const hung = watch.brokenOff;
      watch.close();
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
