import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fileStore } from "../../../src/adapters/store/file-store.ts";
import { hasCode } from "../../../src/domain/errors.ts";
import type { Store } from "../../../src/ports/store.ts";
import { Leases } from "../../../src/repository/leases.ts";
import { withLease } from "../../../src/usecases/with-lease.ts";
import { leaseDeps } from "../../fakes/lease-lab.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { stepped, Turns } from "../../fakes/turns.ts";
import { withoutDelete } from "../../fakes/without-delete.ts";
import { tempDirectory } from "../../lab/temp.ts";

const NEVER = new AbortController().signal;

/** How often two were at work at once, and what became of each: "done", or the code it was refused with. */
interface Outcome {
  readonly together: number;
  readonly ends: readonly string[];
}

class Bench {
  #working = 0;
  together = 0;

  async work(): Promise<void> {
    this.#working += 1;
    if (this.#working > 1) this.together += 1;
  }

  end(): void {
    this.#working -= 1;
  }
}

/** Runs that arrive one after the other by the clock, each step of each in the order chosen. */
async function interleaved(
  parties: readonly string[],
  choose: (waiting: readonly string[]) => string | undefined,
  store: Store = memoryStore(),
): Promise<Outcome> {
  const turns = new Turns();
  const bench = new Bench();
  const runs = parties.map(async (party, i) => {
    // Waiting is a step as well.
    const lab = { ...leaseDeps({ offMs: i }), sleep: sleeping(turns, party) };
    const wish = {
      stores: [stepped(store, turns, party)],
      set: "nightly",
      command: "full",
      breakLease: false,
    };
    try {
      await withLease(lab, wish, NEVER, async (held) => {
        await bench.work();
        await held.assertHeld();
        await turns.step(party);
        bench.end();
      });
      return "done";
    } catch (error) {
      return hasCode(error, "LEASE_HELD") ? error.code : String(error);
    }
  });
  await turns.run(choose);
  return { together: bench.together, ends: await Promise.all(runs) };
}

/** The renewal's minute does not pass here. */
function sleeping(turns: Turns, party: string) {
  return async (ms: number, signal: AbortSignal): Promise<void> => {
    if (ms < 10_000) return turns.step(party);
    return new Promise<void>((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  };
}

async function keysOf(store: Store): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}

/** Leases that somebody might take for held. */
async function standing(store: Store): Promise<unknown[]> {
  return new Leases(store, "nightly").others("");
}

/** And what runs may leave there in no case. */
const STORES: readonly [string, () => Store, (store: Store) => Promise<unknown[]>][] = [
  ["", memoryStore, keysOf],
  [" where nothing may be removed", withoutDelete, standing],
];

describe.each(STORES)("two runs whose calls to the store come in any order%s", (_where, open, left) => {
  test("never work at once: every order of the first ten calls", async () => {
    let both = 0;
    for (let order = 0; order < 1 << 10; order++) {
      let at = 0;
      const store = open();
      const { together, ends } = await interleaved(
        ["a", "b"],
        (waiting) => waiting[((order >> Math.min(at++, 10)) & 1) % waiting.length],
        store,
      );
      expect({ order, together }).toEqual({ order, together: 0 });
      for (const end of ends) expect(["done", "LEASE_HELD"]).toContain(end);
      expect(await left(store)).toEqual([]);
      if (ends.every((end) => end === "done")) both += 1;
    }
    // One after the other is among the orders.
    expect(both).toBeGreaterThan(0);
  });

  test("one of them works when they take turns", async () => {
    for (const first of ["a", "b"]) {
      let last = first === "a" ? "b" : "a";
      const turns = (waiting: readonly string[]): string => {
        last = waiting.find((party) => party !== last) ?? last;
        return last;
      };
      const { ends } = await interleaved(["a", "b"], turns, open());
      expect(ends.toSorted()).toEqual(["LEASE_HELD", "done"]);
    }
  });
});

test.each(STORES)("of four, in orders at random, no two work at once%s", async (_where, open, left) => {
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(fc.nat({ max: 3 })), async (order) => {
      const store = open();
      const { together } = await interleaved(
        ["a", "b", "c", "d"],
        (waiting) => waiting[(order.next().value ?? 0) % waiting.length],
        store,
      );
      expect(together).toBe(0);
      expect(await left(store)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test("over files of a real directory, all at once", async () => {
  await using temp = await tempDirectory();
  const store = fileStore(temp.path);
  const bench = new Bench();
  let works = 0;
  const runs = Array.from({ length: 50 }, async (_, i) => {
    await new Promise((resolve) => setTimeout(resolve, i * 5));
    const wish = { stores: [store], set: "nightly", command: "full", breakLease: false };
    const run = withLease(leaseDeps(), wish, NEVER, async (held) => {
      await bench.work();
      await held.assertHeld();
      works += 1;
      bench.end();
    });
    return run.catch((error: unknown) => {
      if (!hasCode(error, "LEASE_HELD")) throw error;
    });
  });
  await Promise.all(runs);
  expect(bench.together).toBe(0);
  expect(works).toBeGreaterThan(0);
  expect(await keysOf(store)).toEqual([]);
});
