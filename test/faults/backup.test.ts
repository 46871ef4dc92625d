import { readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { BackupError, hasCode } from "../../src/domain/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { backup } from "../../src/usecases/backup.ts";
import type { BackupDeps } from "../../src/usecases/backup-types.ts";
import { backupDeps, backupRequest, committed } from "../fakes/backup-lab.ts";
import { failing } from "../fakes/failing.ts";
import { HeldQueues } from "../fakes/held-queues.ts";
import { memoryStore } from "../fakes/memory-store.ts";
import { messages } from "../fakes/sample-backup.ts";
import { tempDirectory } from "../lab/temp.ts";

const NEVER = new AbortController().signal;
const QUEUES = { a: messages(60), b: messages(30), empty: [] };
const NAMES = Object.keys(QUEUES);

/** The promise: every message is on its queue or in a committed backup, in order; nothing is held; nothing is left half done. */
async function expectNothingLost(queues: HeldQueues, store: Store): Promise<void> {
  const kept = await committed(store).catch((error: unknown) => {
    if (hasCode(error, "REPOSITORY_MISSING")) return new Map<string, string[]>();
    throw error;
  });
  expect(queues.held.size).toBe(0);
  for (const [name, all] of Object.entries(QUEUES)) {
    const bodies = all.map((record) => Buffer.from(record.body).toString());
    const onQueue = (queues.messages.get(name) ?? []).map((record) => Buffer.from(record.body).toString());
    expect(new Set([...(kept.get(name) ?? []), ...onQueue])).toEqual(new Set(bodies));
    expect(onQueue).toEqual(bodies.slice(bodies.length - onQueue.length));
  }
}

/** undefined: it did not fail. */
async function failureOf(run: Promise<unknown>): Promise<unknown> {
  return run.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Of the last of these targets. */
async function callsOfWholeRun(drain: boolean, ...others: readonly Store[]): Promise<readonly string[]> {
  await using temp = await tempDirectory();
  using store = failing(memoryStore(), []);
  const [first, ...rest] = [...others, store];
  const deps = backupDeps(new HeldQueues(QUEUES), [first ?? store, ...rest], temp);
  await backup(deps, backupRequest(NAMES, { drain }), NEVER);
  return store.calls;
}

describe.each([{ drain: false }, { drain: true }])(
  "a store that fails at every call, drain $drain",
  ({ drain }) => {
    test.each(["before", "after"] as const)("%s doing it", async (when) => {
      const calls = await callsOfWholeRun(drain);
      expect(calls.length).toBeGreaterThan(8);
      for (let nth = 1; nth <= calls.length; nth++) {
        await using temp = await tempDirectory();
        const kept = memoryStore();
        const error = new BackupError("TARGET_FAILED", "the disk said no");
        const queues = new HeldQueues(QUEUES);
        {
          using store = failing(kept, [{ nth, when, error }]);
          const run = backup(backupDeps(queues, [store], temp), backupRequest(NAMES, { drain }), NEVER);
          expect([undefined, error]).toContain(await failureOf(run));
        }
        await expectNothingLost(queues, kept);
        expect(await readdir(temp.path)).toEqual([]);
        // And the next run is not hindered.
        await backup(backupDeps(queues, [kept], temp), backupRequest(NAMES), NEVER);
        await expectNothingLost(queues, kept);
      }
    });
  },
);

test("two targets, the second fails at every call: no message is lost, and what the first lists is whole", async () => {
  const calls = await callsOfWholeRun(true, memoryStore());
  for (let nth = 1; nth <= calls.length; nth++) {
    await using temp = await tempDirectory();
    const first = memoryStore("first");
    const second = memoryStore("second");
    const error = new BackupError("TARGET_FAILED", "the disk said no");
    const queues = new HeldQueues(QUEUES);
    {
      using broken = failing(second, [{ nth, error }]);
      const run = backup(
        backupDeps(queues, [first, broken], temp),
        backupRequest(NAMES, { drain: true }),
        NEVER,
      );
      expect([undefined, error]).toContain(await failureOf(run));
    }
    await expectNothingLost(queues, first);
  }
});

test("interrupted after every event: nothing is committed, nothing is held, nothing is left", async () => {
  const reason = new BackupError("INTERRUPTED", "interrupted");
  let interruptions = 0;
  for (let nth = 1; ; nth++) {
    await using temp = await tempDirectory();
    const store = memoryStore();
    const queues = new HeldQueues(QUEUES);
    const abort = new AbortController();
    let seen = 0;
    const deps = {
      ...backupDeps(queues, [store], temp),
      report: () => {
        seen += 1;
        if (seen === nth) abort.abort(reason);
      },
    };
    const failure = await failureOf(backup(deps, backupRequest(NAMES), abort.signal));
    expect(await readdir(temp.path)).toEqual([]);
    await expectNothingLost(queues, store);
    if (failure !== reason) break;
    interruptions += 1;
    const left = [...store.objects.keys()].filter((key) => key !== "mqbackup-repository.json");
    expect({ nth, left }).toEqual({ nth, left: [] });
  }
  expect(interruptions).toBeGreaterThan(10);
});

test("a lease taken away at any moment: nothing is committed from then on, and every queue is given back", async () => {
  const events: string[] = [];
  for (let nth = 1; nth === 1 || nth <= events.length; nth++) {
    await using temp = await tempDirectory();
    const store = memoryStore();
    const queues = new HeldQueues(QUEUES);
    let seen = 0;
    const deps: BackupDeps = {
      ...backupDeps(queues, [store], temp),
      report: (event) => {
        if (nth === 1) events.push(event.kind);
        seen += 1;
        if (seen !== nth) return;
        for (const key of store.objects.keys()) if (key.startsWith("leases/")) store.objects.delete(key);
      },
    };
    const failure = await failureOf(backup(deps, backupRequest(NAMES), NEVER));
    // Before it is taken and after the commit there is none to take.
    const harmless = events[nth - 1] === "surveyed" || events[nth - 1] === "committed";
    expect({ nth, code: hasCode(failure, "LEASE_HELD") }).toEqual({ nth, code: !harmless });
    await expectNothingLost(queues, store);
    const kept = [...store.objects.keys()].filter((key) => key !== "mqbackup-repository.json");
    expect({ nth, nothing: kept.length === 0 }).toEqual({ nth, nothing: !harmless });
  }
  expect(events.length).toBeGreaterThan(10);
});

test("a lease that is lost while queues are read ends the reading", async () => {
  await using temp = await tempDirectory();
  const store = memoryStore();
  const queues = new HeldQueues({ a: messages(2000), b: messages(30) });
  let lose = (): void => undefined;
  const lost = new Promise<void>((resolve) => (lose = resolve));
  let read = 0;
  const deps: BackupDeps = {
    ...backupDeps(queues, [store], temp),
    // The turn at which the lease is renewed.
    sleep: async () => lost,
    report: (event) => {
      if (event.kind === "queue-progress") read = event.messages;
      if (event.kind !== "begun") return;
      for (const key of store.objects.keys()) if (key.startsWith("leases/")) store.objects.delete(key);
      lose();
    },
  };
  const run = backup(deps, backupRequest(["a", "b"], { parallel: 1 }), NEVER);
  await expect(run).rejects.toMatchObject({
    code: "LEASE_HELD",
    message: expect.stringContaining("taken away"),
  });
  expect(read).toBeLessThan(2000);
  expect(queues.opened).toEqual(["a"]);
  expect(queues.held.size).toBe(0);
  expect([...store.objects.keys()]).toEqual(["mqbackup-repository.json"]);
});

test("one queue that cannot be opened is skipped with its reason, the others are kept", async () => {
  await using temp = await tempDirectory();
  const store = memoryStore();
  const error = new BackupError("QUEUE_REFUSED", "queue a may not be read", { hint: "Ask." });
  const queues = new HeldQueues(QUEUES, [{ at: "open", queue: "a", error }]);
  const result = await backup(backupDeps(queues, [store], temp), backupRequest(NAMES), NEVER);
  expect(result.partial).toBe(true);
  const [entry] = result.manifests[0]?.queues ?? [];
  expect(entry).toMatchObject({
    outcome: "skipped",
    skipped: { code: "QUEUE_REFUSED", message: "queue a may not be read", hint: "Ask." },
  });
  expect((await committed(store)).get("b")).toHaveLength(30);
});

test("a queue cut off in the middle is partial: what was read is kept, the rest is a gap", async () => {
  await using temp = await tempDirectory();
  const store = memoryStore();
  const queues = new HeldQueues(QUEUES, [{ at: "gap", queue: "a" }]);
  const result = await backup(backupDeps(queues, [store], temp), backupRequest(NAMES), NEVER);
  expect(result.manifests[0]?.queues[0]).toMatchObject({ outcome: "partial", messages: 30, readyAtCut: 60 });
  expect(result.manifests[0]?.measures).toMatchObject({ messages: 60, knownMessages: 90, lostMessages: 30 });
  expect((await committed(store)).get("a")).toHaveLength(30);
});

test("no queue can be read: the gravest reason, and nothing is committed", async () => {
  await using temp = await tempDirectory();
  const store = memoryStore();
  const locked = new BackupError("QUEUE_LOCKED", "queue a is being read");
  const missing = new BackupError("QUEUE_MISSING", "queue b does not exist");
  const queues = new HeldQueues(QUEUES, [
    { at: "open", queue: "a", error: locked },
    { at: "open", queue: "b", error: missing },
  ]);
  const run = backup(backupDeps(queues, [store], temp), backupRequest(["a", "b"]), NEVER);
  await expect(run).rejects.toMatchObject({
    code: "QUEUE_LOCKED",
    message: expect.stringContaining("none of 2"),
  });
  expect([...store.objects.keys()]).toEqual(["mqbackup-repository.json"]);
});

test("a drain whose messages went back says so: they are on the queue and in the backup", async () => {
  await using temp = await tempDirectory();
  const store = memoryStore();
  const queues = new HeldQueues(QUEUES, [{ at: "settle", queue: "a" }]);
  const result = await backup(
    backupDeps(queues, [store], temp),
    backupRequest(NAMES, { drain: true }),
    NEVER,
  );
  expect(result.partial).toBe(true);
  expect(result.removals.find(({ queue }) => queue.name === "a")?.failure?.code).toBe("BROKER_LOST");
  expect(queues.messages.get("a")).toHaveLength(60);
  expect(queues.messages.get("b")).toHaveLength(0);
});

test("a dry run opens nothing and writes nothing", async () => {
  await using temp = await tempDirectory();
  const store = memoryStore();
  const queues = new HeldQueues(QUEUES);
  const result = await backup(
    backupDeps(queues, [store], temp),
    backupRequest(NAMES, { dryRun: true }),
    NEVER,
  );
  expect(result.manifests).toEqual([]);
  expect(result.verdicts).toHaveLength(3);
  expect(queues.opened).toEqual([]);
  expect(store.objects.size).toBe(0);
});
