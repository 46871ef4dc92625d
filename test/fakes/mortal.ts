import { BackupError } from "../../src/domain/errors.ts";
import type { Store } from "../../src/ports/store.ts";

/** What a run that is killed sees of its stores: from one call on, whichever it is, none of them does anything any more. */
export class Life {
  readonly #isCounted: (call: string) => boolean;
  readonly #end: number;
  readonly #when: "before" | "after";
  #calls = 0;

  /** It ends with the `end`th call that counts, as "put backups/...", before or after that is done. */
  constructor(end: number, when: "before" | "after", isCounted: (call: string) => boolean = () => true) {
    this.#end = end;
    this.#when = when;
    this.#isCounted = isCounted;
  }

  get isOver(): boolean {
    return this.#calls >= this.#end;
  }

  of(store: Store): Store {
    return {
      location: store.location,
      put: async (key, body, options) => this.#call(`put ${key}`, async () => store.put(key, body, options)),
      get: (key, options) => this.#each(`get ${key}`, () => store.get(key, options)),
      list: (prefix, options) => this.#each(`list ${prefix}`, () => store.list(prefix, options)),
      keys: (prefix, options) => this.#each(`keys ${prefix}`, () => store.keys(prefix, options)),
      delete: async (key, options) => this.#call(`delete ${key}`, async () => store.delete(key, options)),
      capacity: async (options) => this.#call("capacity", async () => store.capacity(options)),
    };
  }

  #isDone(call: string): boolean {
    if (this.isOver) return false;
    if (this.#isCounted(call)) this.#calls += 1;
    return !this.isOver || this.#when === "after";
  }

  async #call<T>(call: string, work: () => Promise<T>): Promise<T> {
    if (!this.#isDone(call)) throw dead();
    const result = await work();
    if (this.isOver) throw dead();
    return result;
  }

  async *#each<T>(call: string, work: () => AsyncIterable<T>): AsyncGenerator<T> {
    if (!this.#isDone(call)) throw dead();
    yield* work();
    if (this.isOver) throw dead();
  }
}

function dead(): BackupError {
  return new BackupError("TARGET_FAILED", "killed");
}
