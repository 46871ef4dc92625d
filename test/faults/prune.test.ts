import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BackupError, hasCode } from "../../src/domain/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { createCatalog } from "../../src/repository/catalog.ts";
import { prune } from "../../src/usecases/prune.ts";
import type { PruneRequest } from "../../src/usecases/prune-plan.ts";
import { committed } from "../fakes/backup-lab.ts";
import { failing } from "../fakes/failing.ts";
import { memoryStore, type MemoryStore } from "../fakes/memory-store.ts";
import { listed, pruneDeps, pruneLab, pruneRequest, unrestorable, type Stub } from "../fakes/prune-lab.ts";
import { message, messages, REPOSITORY, writeBackup, type SampleBackup } from "../fakes/sample-backup.ts";

const NEVER = new AbortController().signal;
const NOW = new Date("2026-11-30T12:00:00Z");
const ERROR = new BackupError("TARGET_FAILED", "the disk said no");

/** Of the run, however it told; undefined: it did not fail. */
async function failureOf(store: Store, request: PruneRequest): Promise<unknown> {
  try {
    return (await prune(pruneDeps(store, NOW), request, NEVER)).failure ?? undefined;
  } catch (error) {
    return error;
  }
}

function copyOf(store: MemoryStore): MemoryStore {
  const copy = memoryStore();
  for (const [key, kept] of store.objects) copy.objects.set(key, kept);
  return copy;
}

function keys(store: MemoryStore): string[] {
  return [...store.objects.keys()].filter((key) => !key.startsWith("leases/")).toSorted();
}

/** Two chains of real messages, a mark, orphans, and something foreign. */
async function sampleRepository(): Promise<MemoryStore> {
  const store = memoryStore();
  const catalog = await createCatalog(store, REPOSITORY);
  let all = messages(60);
  for (const chain of ["2026-11-01", "2026-11-08"]) {
    let sample: SampleBackup = { now: new Date(`${chain}T02:00:00Z`), queues: [{ name: "q", records: all }] };
    let manifest = await writeBackup(catalog, sample);
    for (const hour of ["03", "04"]) {
      const base = { manifest, sample };
      all = [...all.slice(10), message(1000 + Number(hour)), message(2000 + Number(hour))];
      sample = { now: new Date(`${chain}T${hour}:00:00Z`), queues: [{ name: "q", records: all }], base };
      manifest = await writeBackup(catalog, sample);
    }
  }
  const old = new Date("2026-11-02T00:00:00Z");
  for (const [key, kept] of store.objects) store.objects.set(key, { ...kept, modifiedAt: old });
  const lay = (key: string): unknown => store.objects.set(key, { bytes: Buffer.from("x"), modifiedAt: old });
  lay("backups/20261103-020000F/begun.json");
  lay("backups/20261103-020000F/data-00001.tar.zst");
  lay("backups/20261101-020000F/notes.txt");
  return store;
}

describe("a store that fails at every call", () => {
  test.each([
    { when: "before", lasting: false },
    { when: "after", lasting: false },
    { when: "before", lasting: true },
  ] as const)(
    "$when doing it, lasting $lasting: what is listed restores, and the next run ends the work",
    async (fault) => {
      const before = await sampleRepository();
      const request = pruneRequest({ last: 1 });
      const whole = copyOf(before);
      using counted = failing(whole, []);
      expect(await failureOf(counted, request)).toBeUndefined();
      expect(listed(whole)).toHaveLength(3);
      expect(counted.calls.length).toBeGreaterThan(40);
      for (let nth = 1; nth <= counted.calls.length; nth += 1) {
        const kept = copyOf(before);
        {
          using store = failing(kept, [{ ...fault, nth, error: ERROR }]);
          const failure = await failureOf(store, request);
          const call = counted.calls[nth - 1] ?? "";
          // A lease that is not given back ends by itself; what is missing cannot be read before it fails.
          const spared = /^delete leases\/|\/mark\.json$/.test(call);
          expect({ call, told: failure === ERROR || hasCode(failure, "LEASE_HELD") || spared }).toMatchObject(
            { told: true },
          );
        }
        await committed(kept);
        expect(kept.objects.has("backups/20261101-020000F/notes.txt")).toBe(true);
        for (const key of kept.objects.keys()) if (key.startsWith("leases/")) kept.objects.delete(key);
        expect(await failureOf(kept, request)).toBeUndefined();
        await committed(kept);
        expect({ nth, keys: keys(kept) }).toEqual({ nth, keys: keys(whole) });
      }
    },
  );
});

const count = fc.option(fc.integer({ min: 1, max: 4 }), { nil: null });
const policy = fc.record({
  last: count,
  periods: fc.record({ hourly: count, daily: count, weekly: count, monthly: count, yearly: count }),
  withinMs: fc.option(fc.integer({ min: 1, max: 40 * 86_400_000 }), { nil: null }),
  full: count,
});

/** Backups one after another, each needing some of those before it; begun at any time, as clocks are wrong. */
const repository = fc
  .array(
    fc.record({
      full: fc.boolean(),
      minutes: fc.integer({ min: 0, max: 60 * 24 * 60 }),
      set: fc.constantFrom("nightly", "hourly"),
      marked: fc.boolean(),
      needs: fc.array(fc.nat({ max: 20 }), { maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((given) => {
    const stubs: (Stub & { readonly marked: boolean })[] = [];
    let full = "";
    for (const [at, { minutes, set, needs, ...each }] of given.entries()) {
      const startedAt = new Date(NOW.getTime() - minutes * 60_000);
      const label = `20261001-${String(at).padStart(6, "0")}`;
      const isFull = each.full || full === "";
      full = isFull ? `${label}F` : full;
      const others = isFull ? [] : needs.map((nth) => stubs[nth % stubs.length]?.id ?? full);
      const needed = Object.fromEntries(others.map((id) => [id, 2]));
      const id = isFull ? full : `${full}_${label}I`;
      stubs.push({ id, set, startedAt, needs: needed, marked: each.marked && at % 3 === 0 });
    }
    return stubs;
  });

/** What is there changes with deletions alone: looking after each is as good as being broken off anywhere. */
function watched(store: MemoryStore, look: () => void): Store {
  const remove = async (...args: Parameters<Store["delete"]>): Promise<void> => {
    await store.delete(...args);
    look();
  };
  return { ...store, delete: remove };
}

test("any chains, any policy, broken off at any moment: what is listed restores, what is marked is there", async () => {
  const { store, put } = await pruneLab();
  const empty = [...store.objects];
  await fc.assert(
    fc.asyncProperty(repository, policy, async (stubs, asked) => {
      store.objects.clear();
      for (const [key, kept] of empty) store.objects.set(key, kept);
      for (const stub of stubs) put(stub);
      const marked = stubs.filter((stub) => stub.marked).map(({ id }) => id);
      for (const id of marked)
        store.objects.set(`backups/${id}/mark.json`, { bytes: Buffer.from("{}"), modifiedAt: NOW });
      const look = (): void => {
        const ids = listed(store);
        expect(unrestorable(store)).toEqual([]);
        expect(ids).toEqual(expect.arrayContaining(marked));
        const left = stubs.filter(({ id }) => ids.includes(id)).map(({ set }) => set);
        expect(new Set(left)).toEqual(new Set(stubs.map(({ set }) => set)));
      };
      expect(await failureOf(watched(store, look), pruneRequest(asked))).toBeUndefined();
      look();
    }),
    { numRuns: 200 },
  );
});
