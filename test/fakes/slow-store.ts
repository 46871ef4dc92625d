import type { Store } from "../../src/ports/store.ts";

export interface SlowStore extends Store {
  /** Keys of puts that have begun to wait. */
  readonly waiting: readonly string[];
  /** From now on it is as quick as the other. */
  release(): void;
}

/** A store whose puts of such keys take until it is released, or are given up by their signal. */
export function slow(store: Store, keys: RegExp): SlowStore {
  const waiting: string[] = [];
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  return {
    ...store,
    waiting,
    release,
    put: async (key, body, options = {}) => {
      if (keys.test(key)) {
        waiting.push(key);
        await Promise.race([released, aborted(options.signal)]);
      }
      await store.put(key, body, options);
    },
  };
}

async function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) =>
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true }),
  );
}
