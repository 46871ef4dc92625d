import type { Store } from "../../src/ports/store.ts";

export type StoreCall = "put" | "get" | "list" | "keys" | "delete" | "capacity";

/** One call that fails. */
export interface Fault {
  /** Of which kind; absent: any. */
  readonly on?: StoreCall;
  /** Only calls for such a key or prefix; absent: any. */
  readonly key?: RegExp;
  /** Which of the calls that match, from 1. Default 1. */
  readonly nth?: number;
  /** before: nothing is done. after: it is done, and nobody is told. Default before. */
  readonly when?: "before" | "after";
  /** And every later call that matches. */
  readonly lasting?: boolean;
  readonly error: Error;
}

export type FailingStore = Store &
  Disposable & {
    /** Every call so far, e.g. "put backups/20261121-193200F/manifest.json". */
    readonly calls: readonly string[];
  };

/** A store whose calls fail as scripted. Disposing throws when a fault was never met: the test tries something else than it says. */
export function failing(store: Store, script: readonly Fault[]): FailingStore {
  const calls: string[] = [];
  const open = script.map((fault) => ({ fault, seen: 0, used: false }));

  function faultOf(on: StoreCall, key: string): Fault | null {
    calls.push(`${on} ${key}`);
    let due: Fault | null = null;
    for (const entry of open) {
      const { fault } = entry;
      if ((fault.on ?? on) !== on || fault.key?.test(key) === false) continue;
      entry.seen += 1;
      const nth = fault.nth ?? 1;
      if (fault.lasting === true ? entry.seen < nth : entry.seen !== nth) continue;
      entry.used = true;
      due ??= fault;
    }
    return due;
  }

  async function call<T>(on: StoreCall, key: string, work: () => Promise<T>): Promise<T> {
    const fault = faultOf(on, key);
    if (fault?.when !== "after" && fault !== null) throw fault.error;
    const result = await work();
    if (fault !== null) throw fault.error;
    return result;
  }

  async function* each<T>(on: StoreCall, key: string, work: () => AsyncIterable<T>): AsyncGenerator<T> {
    const fault = faultOf(on, key);
    if (fault !== null && fault.when !== "after") throw fault.error;
    yield* work();
    if (fault !== null) throw fault.error;
  }

  return {
    location: store.location,
    calls,
    put: async (key, body, options) => call("put", key, async () => store.put(key, body, options)),
    get: (key, options) => each("get", key, () => store.get(key, options)),
    list: (prefix, options) => each("list", prefix, () => store.list(prefix, options)),
    keys: (prefix, options) => each("keys", prefix, () => store.keys(prefix, options)),
    delete: async (key, options) => call("delete", key, async () => store.delete(key, options)),
    capacity: async (options) => call("capacity", "", async () => store.capacity(options)),
    [Symbol.dispose]: () => {
      const unused = open.filter(({ used }) => !used).map(({ fault }) => fault);
      if (unused.length > 0) throw new Error(`faults never met: ${JSON.stringify(unused)}`);
    },
  };
}
