import { readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { Durability } from "../../src/domain/durability.ts";
import { BackupError, hasCode } from "../../src/domain/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { backup } from "../../src/usecases/backup.ts";
import type { BackupResult } from "../../src/usecases/backup-types.ts";
import { backupDeps, backupRequest, committed } from "../fakes/backup-lab.ts";
import { failing } from "../fakes/failing.ts";
import { HeldQueues } from "../fakes/held-queues.ts";
import { memoryStore, type MemoryStore } from "../fakes/memory-store.ts";
import { messages } from "../fakes/sample-backup.ts";
import { unreliable } from "../fakes/unreliable-store.ts";
import { tempDirectory } from "../lab/temp.ts";

const NEVER = new AbortController().signal;
const QUEUES = { q: messages(40) };
const BODIES = QUEUES.q.map(({ body }) => Buffer.from(body).toString());
const ALL: Durability = { async: false, minCopies: null };
const ONE: Durability = { async: false, minCopies: 1 };
const LATER: Durability = { async: true };
const FAILURE = new BackupError("TARGET_FAILED", "the disk said no");

type Fault = "fails" | "fails for good" | "does it and fails" | "hangs" | "keeps nothing" | "keeps half";
const FAULTS: readonly Fault[] = [
  "fails",
  "fails for good",
  "does it and fails",
  "hangs",
  "keeps nothing",
  "keeps half",
];

function faulty(store: Store, fault: Fault, nth: number): Store {
  switch (fault) {
    case "fails":
      return failing(store, [{ nth, error: FAILURE }]);
    case "fails for good":
      return failing(store, [{ nth, error: FAILURE, lasting: true }]);
    case "does it and fails":
      return failing(store, [{ nth, error: FAILURE, when: "after" }]);
    case "hangs":
      return unreliable(store, "hang", nth);
    case "keeps nothing":
      return unreliable(store, "nothing", nth);
    case "keeps half":
      return unreliable(store, "short", nth);
  }
}

interface Ended {
  readonly result: BackupResult | null;
  readonly error: unknown;
  readonly queues: HeldQueues;
  readonly calls: readonly string[];
  /** What is committed there; throws when something that is listed does not restore. */
  readonly kept: readonly (readonly string[])[];
}

async function run(
  durability: Durability,
  drain: boolean,
  spoil: (store: Store, at: number) => Store,
): Promise<Ended> {
  await using temp = await tempDirectory();
  const kept = [memoryStore("first"), memoryStore("second")] as const;
  const queues = new HeldQueues(QUEUES);
  const counted = failing(spoil(kept[1], 1), []);
  const stores = [spoil(kept[0], 0), counted] as const;
  const request = backupRequest(["q"], { durability, drain, volumeBytes: 2048 });
  const running = backup(backupDeps(queues, stores, temp), request, NEVER);
  const [ended] = await Promise.allSettled([running]);
  expect(queues.held.size).toBe(0);
  expect(await readdir(temp.path)).toEqual([]);
  return {
    result: ended.status === "fulfilled" ? ended.value : null,
    error: ended.status === "rejected" ? ended.reason : null,
    queues,
    calls: counted.calls,
    kept: [await keptAt(kept[0]), await keptAt(kept[1])],
  };
}

async function keptAt(store: MemoryStore): Promise<readonly string[]> {
  try {
    return (await committed(store)).get("q") ?? [];
  } catch (error) {
    if (hasCode(error, "REPOSITORY_MISSING", "MANIFEST_DAMAGED")) return [];
    throw error;
  }
}

/** What holds whatever goes wrong at one of two targets. */
function expectRules({ result, error, queues, kept }: Ended, durability: Durability, drain: boolean): void {
  const onQueue = (queues.messages.get("q") ?? []).map(({ body }) => Buffer.from(body).toString());
  for (const bodies of kept) expect([[], BODIES]).toContainEqual(bodies);
  const targets = result?.targets ?? [];
  const saidToBeAt = targets.flatMap((target, at) => (target.error === null ? [at] : []));
  expect(saidToBeAt.map((at) => kept[at])).toEqual(saidToBeAt.map(() => BODIES));
  const copies = saidToBeAt.length;
  // It fails with a reason, or it exists somewhere.
  expect(result === null ? error instanceof BackupError : copies > 0).toBe(true);
  const enough = durability.async ? copies > 0 : copies >= (durability.minCopies ?? 2);
  expect(onQueue).toEqual(drain && enough ? [] : BODIES);
}

/** `once`: what is seen at least once when the second target fails. */
const MODES: readonly { readonly wanted: string; readonly durability: Durability; readonly once: string }[] =
  [
    { wanted: "all", durability: ALL, once: "failed" },
    { wanted: "one", durability: ONE, once: "committed given-up" },
    { wanted: "the first, the other later", durability: LATER, once: "committed not-copied" },
  ];

describe.each(MODES)("two targets, wanted is $wanted", ({ durability, once }) => {
  test.each(FAULTS)("the second %s at every call", async (fault) => {
    const { calls } = await run(durability, true, (store) => store);
    const count = ["keeps nothing", "keeps half"].includes(fault)
      ? calls.filter((call) => call.startsWith("put")).length
      : calls.length;
    expect(count).toBeGreaterThan(5);
    const seen = new Set<string>();
    for (let nth = 1; nth <= count; nth += 1) {
      const ended = await run(durability, true, (store, at) =>
        at === 1 ? faulty(store, fault, nth) : store,
      );
      expectRules(ended, durability, true);
      seen.add(ended.result === null ? "failed" : ended.result.targets.map(({ result }) => result).join(" "));
      // Who can do without the second does; a lease that is not there any more ends the run all the same.
      const mayFail = durability === ALL || hasCode(ended.error, "LEASE_HELD");
      expect(mayFail || ended.result !== null).toBe(true);
    }
    expect([...seen]).toContain(once);
  });
});

test.each(FAULTS)("one of two is enough, and the first %s at every call", async (fault) => {
  const seen = new Set<string>();
  for (let nth = 1; nth <= 16; nth += 1) {
    const ended = await run(ONE, false, (store, at) => (at === 0 ? faulty(store, fault, nth) : store));
    expectRules(ended, ONE, false);
    seen.add(ended.result === null ? "failed" : ended.result.targets.map(({ result }) => result).join(" "));
  }
  expect([...seen]).toContain("given-up committed");
});
