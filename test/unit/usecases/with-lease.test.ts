import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { fileStore } from "../../../src/adapters/store/file-store.ts";
import { BackupError } from "../../../src/domain/errors.ts";
import type { Store } from "../../../src/ports/store.ts";
import { encodeDocument } from "../../../src/repository/sealed-document.ts";
import type { LeaseEvent } from "../../../src/usecases/held-lease.ts";
import { withLease, type Held } from "../../../src/usecases/with-lease.ts";
import { failing } from "../../fakes/failing.ts";
import { newRun } from "../../fakes/fake-runs.ts";
import { inFakeTime } from "../../fakes/fake-time.ts";
import { leaseDeps, type LeaseLab } from "../../fakes/lease-lab.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { tempDirectory } from "../../lab/temp.ts";

const MINUTE = 60_000;
const NEVER = new AbortController().signal;

function run<T>(
  lab: LeaseLab,
  stores: Store | readonly Store[],
  work: (held: Held) => Promise<T>,
  more: { readonly breakLease?: boolean; readonly set?: string; readonly signal?: AbortSignal } = {},
): Promise<T> {
  const { breakLease = false, set = "nightly", signal = NEVER } = more;
  const wish = { stores: [stores].flat(), set, command: "full", breakLease };
  return withLease(lab, wish, signal, work);
}

/** What a run that may have to wait for another resolves or rejects with, letting time pass. */
async function over(lab: LeaseLab, store: Store): Promise<unknown> {
  return inFakeTime(run(lab, store, done).catch((error: unknown) => error));
}

const done = async (): Promise<string> => "done";

/** A run at work until told to end. */
function atWork(lab: LeaseLab, store: Store) {
  let end = (): void => undefined;
  let begin = (_held: Held): void => undefined;
  const begun = new Promise<Held>((resolve) => (begin = resolve));
  const ended = run(lab, store, async (held) => {
    begin(held);
    await new Promise<void>((resolve, reject) => {
      end = resolve;
      held.signal.addEventListener("abort", () => reject(held.signal.reason));
    });
  });
  const outcome = ended.then(
    () => "done" as const,
    (error: unknown) => error,
  );
  return { begun, end: () => end(), outcome };
}

/** A run that vanishes: its lease stays as it is, on a machine of which nothing is known. */
async function vanished(store: MemoryStore, lab = leaseDeps({ host: "gone" })): Promise<void> {
  const lease = atWork(lab, store);
  await lease.begun;
  const left = new Map(store.objects);
  lease.end();
  await lease.outcome;
  for (const [key, kept] of left) store.objects.set(key, kept);
}

const keysOf = (store: MemoryStore): string[] => [...store.objects.keys()];

beforeEach(() => void vi.useFakeTimers({ now: new Date("2026-11-21T19:32:00Z") }));
afterEach(() => void vi.useRealTimers());

test("the lease is there while the work is done, and gone afterwards, whatever came of it", async () => {
  const store = memoryStore();
  const seen = await run(leaseDeps(), store, async () => keysOf(store));
  expect(seen).toEqual([expect.stringMatching(/^leases\/[0-9a-f]{16}-nightly\/[0-9a-f]{16}\.json$/)]);
  expect(keysOf(store)).toEqual([]);
  const failure = new BackupError("BROKER_LOST", "gone");
  await expect(run(leaseDeps(), store, () => Promise.reject(failure))).rejects.toBe(failure);
  expect(keysOf(store)).toEqual([]);
});

test("another run of the set is refused, and told who holds it and until when; its hint names the way out", async () => {
  const store = memoryStore("/backups");
  const first = atWork(leaseDeps({ host: "db1" }), store);
  await first.begun;
  vi.setSystemTime(Date.now() + 1000);
  const refused = await run(leaseDeps(), store, done).catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: "LEASE_HELD",
    message:
      'set "nightly" at /backups is held by mqbackup full on db1 (process 4711), at work since 2026-11-21T19:32:00.000Z; its lease ends 2026-11-21T19:37:00.000Z unless renewed',
    hint: expect.stringMatching(/^Wait .* dead, --break-lease .*\.$/),
  });
  await expect(run(leaseDeps(), store, done, { set: "weekly" })).resolves.toBe("done");
  first.end();
  expect(await first.outcome).toBe("done");
  await expect(run(leaseDeps(), store, done)).resolves.toBe("done");
});

test.each(["../../etc/x", ".hidden", "a/b", "é".repeat(255), "nul ", "CON."])(
  "a set called %j has a folder of its own, below leases",
  async (set) => {
    await using temp = await tempDirectory();
    const store = fileStore(temp.path);
    const keys: string[] = [];
    await run(
      leaseDeps(),
      store,
      async () => {
        for await (const { key } of store.list("leases/")) keys.push(key);
      },
      { set },
    );
    expect(keys).toEqual([expect.stringMatching(/^leases\/[0-9a-f]{16}-[\w.%-]{1,76}\/[0-9a-f]+\.json$/)]);
  },
);

describe("a lease ends", () => {
  test("five minutes after the last sign of life of a run of another machine", async () => {
    const store = memoryStore();
    await vanished(store);
    vi.setSystemTime(Date.now() + 5 * MINUTE - 1);
    await expect(run(leaseDeps(), store, done)).rejects.toMatchObject({ code: "LEASE_HELD" });
    vi.setSystemTime(Date.now() + 1);
    const seen = await run(leaseDeps(), store, async () => keysOf(store));
    expect(seen).toHaveLength(1);
    expect(keysOf(store)).toEqual([]);
  });

  test("at once when its process is known to be gone", async () => {
    const store = memoryStore();
    await vanished(store);
    const knowing = leaseDeps({ isGone: ({ pid }) => pid === 4711 });
    await expect(run(knowing, store, done)).resolves.toBe("done");
    expect(keysOf(store)).toEqual([]);
  });

  test.each([
    ["ahead", 60 * MINUTE],
    ["behind", -60 * MINUTE],
  ])("not sooner for a reader whose clock is an hour %s", async (_way, offMs) => {
    const store = memoryStore();
    await vanished(store);
    const wrong = leaseDeps({ offMs });
    vi.setSystemTime(Date.now() + 4 * MINUTE);
    expect(await over(wrong, store)).toMatchObject({ code: "LEASE_HELD" });
    vi.setSystemTime(Date.now() + 61 * MINUTE);
    expect(await over(wrong, store)).toBe("done");
  });

  test("not because the target's clock was set on by half an hour", async () => {
    const store = memoryStore();
    await vanished(store);
    vi.setSystemTime(Date.now() + 30 * MINUTE);
    const right = leaseDeps({ offMs: -30 * MINUTE });
    expect(await over(right, store)).toMatchObject({ code: "LEASE_HELD" });
    vi.setSystemTime(Date.now() + 5 * MINUTE);
    expect(await over(right, store)).toBe("done");
  });

  test.each([60 * MINUTE, -60 * MINUTE])(
    "not while a run whose clock is %i ms off is at work",
    async (offMs) => {
      const store = memoryStore();
      const off = atWork(leaseDeps({ offMs }), store);
      await off.begun;
      for (let minute = 0; minute < 12; minute++) {
        await vi.advanceTimersByTimeAsync(MINUTE);
        expect(await over(leaseDeps(), store)).toMatchObject({ code: "LEASE_HELD" });
      }
      off.end();
      expect(await off.outcome).toBe("done");
    },
  );
});

describe("renewing", () => {
  test("keeps the lease for as long as the work takes", async () => {
    const store = memoryStore();
    const long = atWork(leaseDeps(), store);
    const held = await long.begun;
    await vi.advanceTimersByTimeAsync(12 * MINUTE);
    await expect(run(leaseDeps(), store, done)).rejects.toMatchObject({
      message: expect.stringMatching(/since 2026-11-21T19:32:00.000Z; its lease ends 2026-11-21T19:49:00/),
    });
    await held.assertHeld();
    long.end();
    expect(await long.outcome).toBe("done");
    expect(keysOf(store)).toEqual([]);
  });

  test("outlives a target that fails for a while", async () => {
    const error = new BackupError("TARGET_FAILED", "the disk said no");
    const store = memoryStore();
    using broken = failing(
      store,
      [1, 2, 3].map((nth) => ({ on: "put", key: /renewed/, nth, error })),
    );
    const long = atWork(leaseDeps(), broken);
    const held = await long.begun;
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    await held.assertHeld();
    long.end();
    expect(await long.outcome).toBe("done");
  });

  test("gives the work up a minute before the lease ends when the target goes on failing", async () => {
    const error = new BackupError("TARGET_FAILED", "the disk said no");
    using broken = failing(memoryStore(), [{ on: "put", key: /renewed/, lasting: true, error }]);
    const long = atWork(leaseDeps(), broken);
    const held = await long.begun;
    await expect(held.assertHeld()).rejects.toBe(error);
    await vi.advanceTimersByTimeAsync(3 * MINUTE);
    expect(held.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(await long.outcome).toMatchObject({
      code: "LEASE_HELD",
      message: 'the lease on set "nightly" at memory is lost: it could not be renewed in time',
      cause: error,
    });
    await expect(held.assertHeld()).rejects.toMatchObject({ code: "LEASE_HELD" });
  });

  test("comes too late after a long sleep, though nobody took the lease meanwhile", async () => {
    const store = memoryStore();
    const asleep = atWork(leaseDeps(), store);
    const held = await asleep.begun;
    vi.setSystemTime(Date.now() + 5 * MINUTE);
    await expect(held.assertHeld()).rejects.toMatchObject({
      code: "LEASE_HELD",
      message: expect.stringContaining("ran out before it was renewed"),
    });
    asleep.end();
    await asleep.outcome;
    expect(keysOf(store)).toEqual([]);
  });
});

describe("--break-lease", () => {
  test("takes the lease away and says whose it was; the other run ends and commits nothing", async () => {
    const store = memoryStore();
    const first = atWork(leaseDeps({ host: "db1" }), store);
    const held = await first.begun;
    const breaking = leaseDeps();
    const second = run(
      breaking,
      store,
      async (own) => {
        await expect(held.assertHeld()).rejects.toMatchObject({
          code: "LEASE_HELD",
          message: expect.stringContaining("it was taken away"),
        });
        await vi.advanceTimersByTimeAsync(MINUTE);
        expect(await first.outcome).toMatchObject({ code: "LEASE_HELD" });
        // What the first still put or removed does not matter to the second.
        await own.assertHeld();
        expect(own.signal.aborted).toBe(false);
      },
      { breakLease: true },
    );
    await second;
    expect(breaking.events).toEqual([
      {
        kind: "lease-broken",
        location: 'set "nightly" at memory',
        holder: "mqbackup full on db1 (process 4711), at work since 2026-11-21T19:32:00.000Z",
      },
    ] satisfies LeaseEvent[]);
    expect(keysOf(store)).toEqual([]);
  });

  test("does nothing where there is none to break", async () => {
    const lab = leaseDeps();
    await run(lab, memoryStore(), done, { breakLease: true });
    expect(lab.events).toEqual([]);
  });
});

describe("a lease that cannot be read is held, for ever, and can be broken", () => {
  const other = "0123456789abcdef";
  const newer = encodeDocument({ format: 999, id: other });
  const strange = encodeDocument({ format: 1, id: other });
  test.each([
    ["damaged", (bytes: Buffer) => bytes.fill(0x20, 30, 31), /do not match its checksum/],
    ["cut off", (bytes: Buffer) => bytes.subarray(0, 20), /does not end with its checksum/],
    ["of a newer format", () => Buffer.from(newer), /has format 999/],
    ["without members it should have", () => Buffer.from(strange), /: set: /],
  ])("%s", async (_how, spoil, why) => {
    const store = memoryStore("/backups");
    await vanished(store);
    const [[key, kept] = ["", null]] = [...store.objects];
    if (kept === null) throw new Error("no lease is left");
    store.objects.clear();
    const spoiled = { ...kept, bytes: spoil(Buffer.from(kept.bytes)) };
    store.objects.set(key.replace(/[0-9a-f]+\.json$/, `${other}.json`), spoiled);
    vi.setSystemTime(Date.now() + 1000 * MINUTE);
    await expect(run(leaseDeps({ isGone: () => true }), store, done)).rejects.toMatchObject({
      code: "LEASE_HELD",
      message: expect.stringMatching(why),
      hint: expect.stringContaining("--break-lease"),
    });
    const lab = leaseDeps();
    await expect(run(lab, store, done, { breakLease: true })).resolves.toBe("done");
    expect(lab.events).toHaveLength(1);
    expect(keysOf(store)).toEqual([]);
  });

  test("files of other names are not ours", async () => {
    const store = memoryStore();
    await run(leaseDeps(), store, async () => {
      const [lease = ""] = keysOf(store);
      for (const name of ["README.txt", "x y.json", `${other}.json.bak`, "deep/0123456789abcdef.json"]) {
        const bytes = Buffer.from("?");
        store.objects.set(lease.replace(/[0-9a-f]+\.json$/, name), { bytes, modifiedAt: new Date() });
      }
    });
    const foreign = keysOf(store);
    expect(foreign).toHaveLength(4);
    await expect(run(leaseDeps(), store, done)).resolves.toBe("done");
    expect(keysOf(store)).toEqual(foreign);
  });

  test("a renewal without its lease holds nobody up, and is swept", async () => {
    const store = memoryStore();
    await run(leaseDeps(), store, async () => {
      const [key = ""] = keysOf(store);
      const stray = encodeDocument({ format: 1, id: other, expiresAt: "2099-01-01T00:00:00Z" });
      const bytes = Buffer.from(stray);
      store.objects.set(key.replace(/[0-9a-f]+\.json$/, `${other}.renewed.json`), {
        bytes,
        modifiedAt: new Date(),
      });
    });
    await expect(run(leaseDeps(), store, done)).resolves.toBe("done");
    expect(keysOf(store)).toEqual([]);
  });
});

describe("several targets", () => {
  test("are held in order and given back in reverse; one that is held gives all back", async () => {
    const [a, b] = [memoryStore("a"), memoryStore("b")];
    const order: string[] = [];
    const noting = (store: MemoryStore): Store => ({
      ...store,
      put: async (key, body, options) => {
        order.push(`put ${store.location}`);
        await store.put(key, body, options);
      },
      delete: async (key, options) => {
        if (!key.includes("renewed")) order.push(`delete ${store.location}`);
        await store.delete(key, options);
      },
    });
    await run(leaseDeps(), [noting(a), noting(b)], done);
    expect(order).toEqual(["put a", "put b", "delete b", "delete a"]);
    const first = atWork(leaseDeps(), b);
    await first.begun;
    vi.setSystemTime(Date.now() + 1000);
    await expect(run(leaseDeps(), [a, b], done)).rejects.toMatchObject({
      message: expect.stringMatching(/^set "nightly" at b is held/),
    });
    expect(keysOf(a)).toEqual([]);
    first.end();
    await first.outcome;
  });

  test("are lost with any of them", async () => {
    const [a, b] = [memoryStore("a"), memoryStore("b")];
    const outcome = run(leaseDeps(), [a, b], async (held) => {
      b.objects.clear();
      await held.assertHeld();
    });
    await expect(outcome).rejects.toMatchObject({
      code: "LEASE_HELD",
      message: expect.stringContaining("at b"),
    });
    expect([...keysOf(a), ...keysOf(b)]).toEqual([]);
  });
});

test.each(["before", "after"] as const)("a store that fails at every call, %s doing it", async (when) => {
  const work = async (held: Held): Promise<void> => held.assertHeld();
  using whole = failing(memoryStore(), []);
  await run(leaseDeps(), whole, work);
  expect(whole.calls.length).toBeGreaterThan(7);
  for (let nth = 1; nth <= whole.calls.length; nth++) {
    const error = new BackupError("TARGET_FAILED", "the disk said no");
    const kept = memoryStore();
    using store = failing(kept, [{ nth, when, error }]);
    const outcome = await run(leaseDeps(), store, work).catch((caught: unknown) => caught);
    expect([undefined, error]).toContain(outcome);
    // What is left, if anything, ends like the lease of any dead run.
    const mayLeave = whole.calls[nth - 1]?.startsWith("delete") === true;
    expect(mayLeave || keysOf(kept).length === 0).toBe(true);
    vi.setSystemTime(Date.now() + 5 * MINUTE);
    await expect(run(leaseDeps(), kept, done)).resolves.toBe("done");
    expect(keysOf(kept)).toEqual([]);
  }
});

test("interrupted while it waits for one that came at the same time: nothing is left", async () => {
  const store = memoryStore();
  await vanished(store, leaseDeps({ offMs: MINUTE }));
  const before = keysOf(store);
  const interruption = new AbortController();
  const reason = new BackupError("INTERRUPTED", "interrupted");
  const outcome = run(leaseDeps(), store, done, { signal: interruption.signal }).catch(
    (error: unknown) => error,
  );
  await vi.advanceTimersByTimeAsync(600);
  expect(keysOf(store)).toHaveLength(before.length + 1);
  interruption.abort(reason);
  expect(await outcome).toBe(reason);
  expect(keysOf(store)).toEqual(before);
});

test("the same run twice at once is refused like any other", async () => {
  const store = memoryStore();
  const runs = newRun();
  const lab = { ...leaseDeps(), runs };
  const first = atWork(lab, store);
  await first.begun;
  expect(await over(lab, store)).toMatchObject({ code: "LEASE_HELD" });
  first.end();
  await first.outcome;
});
