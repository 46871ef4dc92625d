import type { ObjectBody, Store } from "../../src/ports/store.ts";
import { bytesBody } from "../../src/repository/objects.ts";
import { withPatience } from "../../src/adapters/store/with-patience.ts";

/** hang: never answers, heeds no signal. nothing, short: a put resolves, and nothing is there, or half of it. */
export type Unreliability = "hang" | "nothing" | "short";

/** A store of which the nth call, or put for what only puts can do, goes wrong without an error; looked at with little patience. */
export function unreliable(store: Store, how: Unreliability, nth: number): Store & { readonly met: boolean } {
  let seen = 0;
  let met = false;
  const isDue = (isPut: boolean): boolean => {
    if (how !== "hang" && !isPut) return false;
    seen += 1;
    met ||= seen === nth;
    return seen === nth;
  };
  const hung = new Promise<never>(() => undefined);
  async function* each<T>(work: () => AsyncIterable<T>): AsyncGenerator<T> {
    if (isDue(false)) await hung;
    yield* work();
  }
  async function call<T>(work: () => Promise<T>): Promise<T> {
    return isDue(false) ? hung : work();
  }
  const wrong: Store = {
    location: store.location,
    put: async (key, body, options) => {
      if (!isDue(true)) return store.put(key, body, options);
      if (how === "hang") return hung;
      if (how === "short") await store.put(key, await halfOf(body), options);
    },
    get: (key, options) => each(() => store.get(key, options)),
    list: (prefix, options) => each(() => store.list(prefix, options)),
    keys: (prefix, options) => each(() => store.keys(prefix, options)),
    delete: async (key, options) => call(async () => store.delete(key, options)),
    capacity: async (options) => call(async () => store.capacity(options)),
  };
  return {
    ...withPatience(wrong, { stallMs: 40, afterStallMs: 40, graceMs: 1 }),
    get met() {
      return met;
    },
  };
}

async function halfOf(body: ObjectBody): Promise<ObjectBody> {
  const parts: Uint8Array[] = [];
  for await (const part of body.open()) parts.push(new Uint8Array(part));
  const whole = Buffer.concat(parts);
  return bytesBody(whole.subarray(0, Math.floor(whole.length / 2)));
}
