import { beforeEach, describe, expect, test } from "vitest";
import { BackupError } from "../../../src/domain/errors.ts";
import type { Store } from "../../../src/ports/store.ts";
import { prune, type PruneResult } from "../../../src/usecases/prune.ts";
import type { PruneRequest } from "../../../src/usecases/prune-plan.ts";
import type { PruneEvent } from "../../../src/usecases/prune-removal.ts";
import { withLease } from "../../../src/usecases/with-lease.ts";
import { failing } from "../../fakes/failing.ts";
import { newRun } from "../../fakes/fake-runs.ts";
import { lockingStore } from "../../fakes/locking-store.ts";
import { leaseDeps } from "../../fakes/lease-lab.ts";
import type { MemoryStore } from "../../fakes/memory-store.ts";
import { listed, pruneDeps, pruneLab, pruneRequest, unrestorable, type Stub } from "../../fakes/prune-lab.ts";

const NEVER = new AbortController().signal;
const NOW = new Date("2026-11-30T12:00:00Z");
const HOUR = 3_600_000;

const F1 = "20261101-020000F";
const I1 = `${F1}_20261102-020000I`;
const F2 = "20261108-020000F";
const F3 = "20261115-020000F";

let store: MemoryStore;
let put: (stub: Stub) => void;
let events: PruneEvent[];

beforeEach(async () => {
  ({ store, put } = await pruneLab());
  put({ id: F1 });
  put({ id: I1, needs: { [F1]: 1200 } });
  put({ id: F2 });
  put({ id: F3 });
  events = [];
});

async function run(request: PruneRequest, target: Store = store, now = NOW): Promise<PruneResult> {
  return prune(pruneDeps(target, now, events), request, NEVER);
}

/** An object nobody asked for, so old. */
function lay(key: string, ageMs: number, bytes = 10): void {
  store.objects.set(key, { bytes: Buffer.alloc(bytes), modifiedAt: new Date(NOW.getTime() - ageMs) });
}

function keys(): string[] {
  return [...store.objects.keys()].toSorted();
}

describe("without being confirmed", () => {
  test("it only says what would go, reads no lease and takes none", async () => {
    lay("backups/20261110-020000F/data-00001.tar.zst", 25 * HOUR);
    const before = keys();
    using watched = failing(store, []);
    const { confirmed, sets, sweep, removals, failure } = await run(
      pruneRequest({ last: 1 }, { confirmed: false }),
      watched,
    );
    expect({ confirmed, removals, failure }).toEqual({ confirmed: false, removals: [], failure: null });
    expect(
      sets.flatMap(({ backups }) => backups.map(({ backup, reasons }) => [backup.id, reasons.length])),
    ).toEqual([
      [F1, 0],
      [I1, 0],
      [F2, 0],
      [F3, 1],
    ]);
    expect(sweep.orphans.map(({ id }) => id)).toEqual(["20261110-020000F"]);
    expect(watched.calls.filter((call) => !/^(get|list|keys) /.test(call))).toEqual([]);
    expect(keys()).toEqual(before);
  });
});

describe("confirmed", () => {
  test("what no rule keeps goes, the manifest of each first, from the end of a chain", async () => {
    lay(`backups/${F1}/mark.json.txt`, HOUR);
    using watched = failing(store, []);
    const { removals, failure } = await run(pruneRequest({ last: 1 }), watched);
    expect(failure).toBeNull();
    expect(removals.map(({ id }) => id)).toEqual([F2, I1, F1]);
    const gone = watched.calls.filter((call) => call.startsWith("delete backups/"));
    expect(gone).toEqual(
      [F2, I1, F1].flatMap((id) =>
        ["manifest.json", "data-00001.tar.zst", "index.tar.zst"].map(
          (name) => `delete backups/${id}/${name}`,
        ),
      ),
    );
    expect(events).toEqual(removals);
    expect(keys().filter((key) => !key.includes(F3))).toEqual([
      `backups/${F1}/mark.json.txt`,
      "mqbackup-repository.json",
    ]);
  });

  test("what another needs stays and is told", async () => {
    put({ id: `${F1}_20261120-020000I`, needs: { [F1]: 1200 } });
    const { sets } = await run(pruneRequest({ last: 1 }));
    expect(listed(store)).toEqual([F1, `${F1}_20261120-020000I`]);
    expect(sets[0]?.backups[0]?.reasons).toEqual([
      { kind: "needed", by: `${F1}_20261120-020000I`, messages: 1200, others: 0 },
    ]);
  });

  test("a marked one stays, even if the mark is damaged", async () => {
    lay(`backups/${I1}/mark.json`, HOUR);
    await run(pruneRequest({ last: 1 }));
    expect(listed(store)).toEqual([F1, I1, F3]);
    expect(store.objects.has(`backups/${I1}/mark.json`)).toBe(true);
  });

  test("a second run has nothing to do", async () => {
    await run(pruneRequest({ last: 1 }));
    using watched = failing(store, []);
    expect((await run(pruneRequest({ last: 1 }), watched)).removals).toEqual([]);
    expect(watched.calls.filter((call) => /^(put|delete) /.test(call))).toEqual([]);
  });

  test("only backups of the set asked for go", async () => {
    put({ id: "20261001-020000F", set: "hourly" });
    put({ id: "20261002-020000F", set: "hourly" });
    await run(pruneRequest({ last: 1 }, { set: "hourly" }));
    expect(listed(store)).toEqual(["20261002-020000F", F1, I1, F2, F3]);
  });
});

describe("what cannot be trusted is not counted on:", () => {
  test("one that lacks a file does not take the place of the newest complete one", async () => {
    store.objects.delete(`backups/${F3}/data-00001.tar.zst`);
    const { sets } = await run(pruneRequest({ last: 1 }));
    expect(listed(store)).toEqual([F2, F3]);
    expect(sets[0]?.backups.at(-1)?.backup.missing).toEqual([`${F3}/data-00001.tar.zst`]);
  });

  test("nor does one with a file of another size, or with gaps, or whose holder is not whole", async () => {
    lay(`backups/${F3}/index.tar.zst`, HOUR, 3);
    put({ id: "20261116-020000F", queue: { outcome: "partial" } });
    put({ id: `${F3}_20261117-020000I`, needs: { [F3]: 1 } });
    put({ id: `${F3}_20261118-020000I`, needs: { "20200101-000000F": 1 } });
    const { sets } = await run(pruneRequest({ last: 4 }));
    const backups = sets[0]?.backups ?? [];
    expect(backups.flatMap(({ backup, reasons }) => (reasons.length > 0 ? [backup.id] : []))).toEqual([
      F2,
      F3,
      "20261116-020000F",
      `${F3}_20261117-020000I`,
      `${F3}_20261118-020000I`,
    ]);
    expect(backups.find(({ backup }) => backup.id === F2)?.reasons).toEqual([
      { kind: "newest", complete: true },
    ]);
    expect(backups.at(-1)?.backup.missing).toEqual(["backup 20200101-000000F"]);
  });

  test("one manifest that cannot be read, of whatever set, and nothing is removed", async () => {
    lay(`backups/${F2}/manifest.json`, HOUR);
    const before = keys();
    await expect(run(pruneRequest({ last: 1 }, { set: "other" }))).rejects.toMatchObject({
      code: "MANIFEST_DAMAGED",
      message: expect.stringContaining(`${F2}/manifest.json`),
      hint: expect.stringContaining(F2),
    });
    expect(keys()).toEqual(before);
  });

  test("nor one of a newer format", async () => {
    const newer = Buffer.from(JSON.stringify({ format: 99 }));
    store.objects.set(`backups/${F2}/manifest.json`, { bytes: newer, modifiedAt: NOW });
    await expect(run(pruneRequest({ last: 1 }))).rejects.toMatchObject({ code: "FORMAT_NEWER" });
    expect(keys()).toContain(`backups/${F1}/manifest.json`);
  });

  test("a place that is no repository", async () => {
    store.objects.delete("mqbackup-repository.json");
    await expect(run(pruneRequest({ last: 1 }))).rejects.toMatchObject({ code: "REPOSITORY_MISSING" });
  });
});

describe("what is locked", () => {
  const LATER = new Date(NOW.getTime() + HOUR);

  async function locked(...locks: readonly (readonly [id: string, until: Date | null])[]) {
    const kept = lockingStore();
    for (const [key, object] of store.objects) kept.objects.set(key, object);
    for (const [id, until] of locks)
      kept.held.set(`backups/${id}/manifest.json`, { mode: "governance", until });
    return kept;
  }

  test("stays until its time, says so, and keeps what it needs", async () => {
    const kept = await locked([I1, LATER], [F2, NOW], [F3, LATER]);
    const result = await run(pruneRequest({ last: 1 }), kept);
    const reasons = result.sets.flatMap(({ backups }) => backups.map(({ reasons: why }) => why[0]));
    expect(reasons).toEqual([
      { kind: "needed", by: I1, messages: 1200, others: 0 },
      { kind: "locked", until: LATER },
      { kind: "locked", until: NOW },
      { kind: "last", place: 1, of: 1 },
    ]);
    expect(result.removals).toEqual([]);
    expect(listed(kept)).toEqual([F1, I1, F2, F3]);
  });

  test("is asked about only where it would go, and goes when its time has come", async () => {
    const kept = await locked([I1, new Date(NOW.getTime() - 1)], [F2, null]);
    await run(pruneRequest({ last: 1 }, { confirmed: false }), kept);
    expect(kept.asked.toSorted()).toEqual([F1, I1, F2].map((id) => `backups/${id}/manifest.json`));
    await run(pruneRequest({ last: 1 }), kept);
    expect(listed(kept)).toEqual([F2, F3]);
  });

  test("cannot be told: nothing is removed", async () => {
    const kept = await locked();
    const error = new BackupError("TARGET_REFUSED", "access denied");
    const blind = { check: async () => {}, of: async () => Promise.reject(error), extend: async () => {} };
    await expect(run(pruneRequest({ last: 1 }), { ...kept, locks: blind })).rejects.toBe(error);
    expect(listed(kept)).toEqual([F1, I1, F2, F3]);
  });
});

describe("orphans:", () => {
  const DEAD = "20261110-020000F";
  const all = pruneRequest({ last: 100 });

  test.each([
    ["older than a day is swept, what reserves its id last", 24 * HOUR + 1, true],
    ["of a day is left", 24 * HOUR, false],
    ["from the future is left", -HOUR, false],
  ])("a folder without a manifest %s", async (_what, age, swept) => {
    for (const name of [
      "begun.json",
      "data-00002.tar.zst",
      "data-00001.tar.zst",
      "index.tar.zst",
      "mark.json",
    ])
      lay(`backups/${DEAD}/${name}`, age);
    using watched = failing(store, []);
    const { sweep, removals } = await run(all, watched);
    expect(sweep.unfinished).toEqual(swept ? [] : [DEAD]);
    expect(removals).toEqual(swept ? [{ kind: "orphans-removed", id: DEAD, bytes: 50 }] : []);
    const names = ["mark.json", "data-00001.tar.zst", "data-00002.tar.zst", "index.tar.zst", "begun.json"];
    expect(watched.calls.filter((call) => call.startsWith("delete"))).toEqual(
      swept ? names.map((name) => `delete backups/${DEAD}/${name}`) : [],
    );
  });

  test("the youngest object counts: a long run that still puts volumes is left alone", async () => {
    lay(`backups/${DEAD}/begun.json`, 100 * HOUR);
    lay(`backups/${DEAD}/data-00001.tar.zst`, 99 * HOUR);
    lay(`backups/${DEAD}/data-00002.tar.zst`, HOUR);
    expect((await run(all)).removals).toEqual([]);
  });

  test("what no listing shows is dropped too, when it is confirmed", async () => {
    let sweeps = 0;
    const sweeping: Store = { ...store, sweep: async () => void (sweeps += 1) };
    await run(pruneRequest({ last: 100 }, { confirmed: false }), sweeping);
    expect(sweeps).toBe(0);
    await run(all, sweeping);
    expect(sweeps).toBe(1);
  });

  test("while any run is at work none is swept, however old", async () => {
    lay(`backups/${DEAD}/data-00001.tar.zst`, 99 * HOUR);
    lay("leases/0123456789abcdef-other/aa.json", 99 * HOUR);
    lay("leases/0123456789abcdef-other/aa.renewed.json", 0);
    const { removals, sweep } = await run(all);
    expect(removals).toEqual([]);
    expect(sweep.unfinished).toEqual([DEAD]);
    lay("leases/0123456789abcdef-other/aa.released.json", 0);
    lay("leases/0123456789abcdef-other/bb.json", 0);
    expect((await run(all)).removals).toEqual([]);
    lay("leases/0123456789abcdef-other/bb.released.json", 0);
    expect((await run(all)).removals).toHaveLength(1);
  });

  test("a lease that nobody has renewed for a day keeps none", async () => {
    lay(`backups/${DEAD}/data-00001.tar.zst`, 99 * HOUR);
    lay("leases/0123456789abcdef-other/aa.renewed.json", 25 * HOUR);
    expect((await run(all)).removals).toHaveLength(1);
  });

  test("what a manifest does not name goes by its own age, if it is named as ours are", async () => {
    lay(`backups/${F3}/data-00002.tar.zst`, 25 * HOUR);
    lay(`backups/${F3}/begun.json`, 25 * HOUR);
    lay(`backups/${F3}/data-00003.tar.zst`, HOUR);
    lay(`backups/${F3}/data-1.tar.zst`, 25 * HOUR);
    lay(`backups/${F3}/mark.json`, 25 * HOUR);
    const before = keys();
    const { removals, sweep } = await run(all);
    expect(removals).toEqual([{ kind: "orphans-removed", id: F3, bytes: 20 }]);
    expect(before.filter((key) => !store.objects.has(key))).toEqual([
      `backups/${F3}/begun.json`,
      `backups/${F3}/data-00002.tar.zst`,
    ]);
    expect(sweep.foreign).toEqual([`backups/${F3}/data-1.tar.zst`]);
  });

  test("what was left of a removal that broke off is swept", async () => {
    store.objects.delete(`backups/${F1}/manifest.json`);
    store.objects.delete(`backups/${I1}/manifest.json`);
    const { removals } = await run(all);
    expect(removals.map(({ id }) => id)).toEqual([F1, I1]);
    expect(keys().filter((key) => key.includes(F1))).toEqual([]);
  });
});

test("what is not mqbackup's is left alone and named", async () => {
  const foreign = [
    "backups/README",
    `backups/${F1}/data-00001.tar.zst.bak`,
    `backups/${F1}/notes/why.txt`,
    "backups/20261301-000000F/data-00001.tar.zst",
    "backups/20261110-020000F/photo.jpg",
    "backups/old/manifest.json",
  ];
  for (const key of foreign) lay(key, 1000 * HOUR);
  lay("elsewhere/manifest.json", 1000 * HOUR);
  const { sweep } = await run(pruneRequest({ last: 1 }));
  expect(sweep.foreign.toSorted()).toEqual(foreign.toSorted());
  expect(listed(store)).toEqual([F3, "old"]);
  for (const key of [...foreign, "elsewhere/manifest.json"]) expect(store.objects.has(key)).toBe(true);
});

describe("with others at work", () => {
  const other = { stores: [] as Store[], command: "full", breakLease: false };

  /** While another run, that is alive, holds the set. */
  async function held<T>(set: string, work: () => Promise<T>): Promise<T> {
    return withLease(leaseDeps(), { ...other, stores: [store], set }, NEVER, work);
  }

  /** Knows of no run that it has ended. */
  async function cautious(request: PruneRequest): Promise<PruneResult> {
    const runs = newRun({ isGone: () => false });
    return prune({ ...pruneDeps(store, new Date(), events), runs }, request, NEVER);
  }

  test("a set that is held is left, the others are done, and the failure is told", async () => {
    put({ id: "20261001-020000F", set: "hourly" });
    put({ id: "20261002-020000F", set: "hourly" });
    const { failure, removals } = await held("hourly", async () => cautious(pruneRequest({ last: 1 })));
    expect(failure).toMatchObject({ code: "LEASE_HELD" });
    expect(removals.map(({ id }) => id)).toEqual([F2, I1, F1]);
    expect(listed(store)).toEqual(["20261001-020000F", "20261002-020000F", F3]);
  });

  test("a dry run is not kept from telling", async () => {
    const { failure } = await held("nightly", async () =>
      cautious(pruneRequest({ last: 1 }, { confirmed: false })),
    );
    expect(failure).toBeNull();
  });

  test("the lease of a dead run is taken away when that is asked for", async () => {
    await held("nightly", async () => cautious(pruneRequest({ last: 1 }, { breakLease: true })));
    expect(listed(store)).toEqual([F3]);
    expect(events[0]).toMatchObject({ kind: "lease-broken" });
  });

  test("a backup committed between the first look and the lease keeps what it needs", async () => {
    const late = `${F1}_20261121-020000I`;
    const watched: Store = {
      ...store,
      put: async (key, body, options) => {
        await store.put(key, body, options);
        if (key.startsWith("leases/")) put({ id: late, needs: { [F1]: 7 } });
      },
    };
    const { sets } = await run(pruneRequest({ last: 1 }), watched);
    expect(listed(store)).toEqual([F1, late]);
    expect(sets[0]?.backups.map(({ backup }) => backup.id)).toEqual([F1, I1, F2, F3, late]);
    expect(unrestorable(store)).toEqual([]);
  });

  test("one that is marked at the last moment stays, and what it needs", async () => {
    const watched: Store = {
      ...store,
      delete: async (key, options) => {
        await store.delete(key, options);
        if (key === `backups/${F2}/index.tar.zst`) lay(`backups/${I1}/mark.json`, 0);
      },
    };
    const { failure, removals } = await run(pruneRequest({ last: 1 }), watched);
    expect(failure).toMatchObject({ code: "LEASE_HELD", message: expect.stringContaining(I1) });
    expect(removals.map(({ id }) => id)).toEqual([F2]);
    expect(listed(store)).toEqual([F1, I1, F3]);
  });

  test("interrupted, it ends behind the backup that it is at", async () => {
    const reason = new BackupError("INTERRUPTED", "interrupted");
    const abort = new AbortController();
    const watched: Store = {
      ...store,
      delete: async (key, options) => {
        await store.delete(key, options);
        if (key === `backups/${F2}/manifest.json`) abort.abort(reason);
      },
    };
    const result = await prune(pruneDeps(watched, NOW, events), pruneRequest({ last: 1 }), abort.signal);
    expect(result.failure).toBe(reason);
    expect(result.removals.map(({ id }) => id)).toEqual([F2]);
    expect(keys().filter((key) => key.includes(F2) || key.startsWith("leases/"))).toEqual([]);
  });
});
