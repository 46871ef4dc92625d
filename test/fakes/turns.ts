import { setImmediate as idle } from "node:timers/promises";
import type { Store } from "../../src/ports/store.ts";

/** Lets several parties make one step at a time, in an order of the test's choosing. */
export class Turns {
  readonly #waiting = new Map<string, () => void>();

  /** Resolves when it is this party's turn. */
  async step(party: string): Promise<void> {
    await new Promise<void>((resolve) => void this.#waiting.set(party, resolve));
  }

  /** Until nobody waits for a turn any more. `choose`: which of those that wait goes on. */
  async run(choose: (parties: readonly string[]) => string | undefined): Promise<void> {
    for (;;) {
      await idle();
      const parties = [...this.#waiting.keys()].toSorted();
      if (parties.length === 0) return;
      const party = choose(parties) ?? parties[0] ?? "";
      const go = this.#waiting.get(party);
      this.#waiting.delete(party);
      go?.();
    }
  }
}

/** Every call of such a store is a step of the party. */
export function stepped(store: Store, turns: Turns, party: string): Store {
  return {
    location: store.location,
    put: async (...call) => turns.step(party).then(async () => store.put(...call)),
    get: async function* get(...call) {
      await turns.step(party);
      yield* store.get(...call);
    },
    list: async function* list(...call) {
      await turns.step(party);
      yield* store.list(...call);
    },
    keys: async function* keys(...call) {
      await turns.step(party);
      yield* store.keys(...call);
    },
    delete: async (...call) => turns.step(party).then(async () => store.delete(...call)),
    capacity: async (...call) => store.capacity(...call),
  };
}
