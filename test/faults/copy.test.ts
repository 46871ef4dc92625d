import { describe, expect, test } from "vitest";
import { BackupError, hasCode } from "../../src/domain/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { backup } from "../../src/usecases/backup.ts";
import { list } from "../../src/usecases/list.ts";
import type { CopyRequest } from "../../src/usecases/copy-types.ts";
import { backupDeps, backupRequest, committed } from "../fakes/backup-lab.ts";
import { backupObjects, cloneOf, damage, FULL, LAST, runCopy, sampleSource } from "../fakes/copy-lab.ts";
import { failing, type Fault } from "../fakes/failing.ts";
import { HeldQueues } from "../fakes/held-queues.ts";
import { memoryStore, type MemoryStore } from "../fakes/memory-store.ts";
import { unrestorable } from "../fakes/prune-lab.ts";
import { messages } from "../fakes/sample-backup.ts";
import { verified } from "../fakes/verified.ts";
import { tempDirectory } from "../lab/temp.ts";

const ERROR = new BackupError("TARGET_FAILED", "the disk said no");

/** Whether the run said that something went wrong. */
async function isTold(source: Store, to: Store, request: Partial<CopyRequest>): Promise<boolean> {
  try {
    const { destinations, unusable } = await runCopy(source, to, request);
    return (
      unusable.length > 0 ||
      destinations.some(({ failure, backups }) => failure !== null || backups.some(({ done }) => !done))
    );
  } catch (error) {
    return error === ERROR || hasCode(error, "LEASE_HELD");
  }
}

/** Where half of it is already: damaged here, incomplete there. */
async function halfDone(source: MemoryStore): Promise<MemoryStore> {
  const to = memoryStore("/copy");
  await runCopy(source, to, { backups: [FULL, LAST] });
  damage(to, `backups/${FULL}/data-00002.tar.zst`);
  to.objects.delete(`backups/${LAST}/index.tar.zst`);
  return to;
}

const FAULTS = [
  { when: "before", lasting: false },
  { when: "after", lasting: false },
  { when: "before", lasting: true },
] as const satisfies readonly Partial<Fault>[];

describe.each(FAULTS)("every call fails once, $when it is done, lasting $lasting", (fault) => {
  test("of a destination: what is listed is there whole, and the next copy ends the work", async () => {
    const source = await sampleSource();
    for (const begin of [async () => memoryStore("/copy"), async () => halfDone(source)]) {
      const before = await begin();
      const whole = cloneOf(before);
      using counted = failing(whole, []);
      expect(await isTold(source, counted, { checksum: true })).toBe(false);
      for (let nth = 1; nth <= counted.calls.length; nth += 1) {
        const call = counted.calls[nth - 1] ?? "";
        const to = cloneOf(before);
        {
          using store = failing(to, [{ ...fault, nth, error: ERROR }]);
          const told = await isTold(source, store, { checksum: true });
          // A lease or a reservation that is not removed hinders nobody; a file that cannot be read is replaced.
          // What is missing cannot be read before it fails.
          const absent = fault.when === "after" && /^get .*\.json$/.test(call);
          const spared = absent || /^delete |^get .*\.zst$/.test(call);
          expect({ call, told: told || spared }).toEqual({ call, told: true });
        }
        const repaired = before.objects.size === 0;
        if (repaired && to.objects.has("mqbackup-repository.json")) await committed(to);
        expect(unrestorable(to).filter((lack) => repaired || !lack.includes("index"))).toEqual([]);
        expect(await isTold(source, to, { checksum: true })).toBe(false);
        const { objects } = to;
        for (const key of objects.keys()) if (key.endsWith("/begun.json")) objects.delete(key);
        expect({ call, objects: backupObjects(to) }).toEqual({ call, objects: backupObjects(source) });
      }
    }
  });

  test("of the source: what is listed is there whole, and the next copy ends the work", async () => {
    const source = await sampleSource();
    const before = backupObjects(source);
    using counted = failing(source, []);
    expect(await isTold(counted, memoryStore("/copy"), {})).toBe(false);
    for (let nth = 1; nth <= counted.calls.length; nth += 1) {
      const to = memoryStore("/copy");
      const call = counted.calls[nth - 1] ?? "";
      using store = failing(source, [{ ...fault, nth, error: ERROR }]);
      expect({ call, told: await isTold(store, to, {}) }).toEqual({ call, told: true });
      if (to.objects.has("mqbackup-repository.json")) await committed(to);
      expect(await isTold(source, to, {})).toBe(false);
      expect(backupObjects(to)).toEqual(before);
      expect(backupObjects(source)).toEqual(before);
    }
  });
});

/** What is at two targets at each put to either of them, while one backup goes to both: what a kill would leave. */
async function momentsOf(): Promise<readonly (readonly [MemoryStore, MemoryStore])[]> {
  const [one, other] = [memoryStore("/one"), memoryStore("/other")];
  const moments: [MemoryStore, MemoryStore][] = [];
  const watched = (store: MemoryStore): Store => ({
    ...store,
    put: async (...args) => {
      moments.push([cloneOf(one), cloneOf(other)]);
      await store.put(...args);
      moments.push([cloneOf(one), cloneOf(other)]);
    },
  });
  await using temp = await tempDirectory();
  const deps = backupDeps(new HeldQueues({ a: messages(60) }), [watched(one), watched(other)], temp);
  await backup(deps, backupRequest(["a"]), new AbortController().signal);
  return moments;
}

test("killed anywhere in a backup to two targets, also between the two commits: copy ends it at both", async () => {
  let between = 0;
  for (const [one, other] of await momentsOf()) {
    if (!one.objects.has("mqbackup-repository.json")) continue;
    const ids = (await list({ store: one }, { set: null })).backups.map(({ id }) => id);
    const before = Object.keys(backupObjects(other)).filter((key) => key.endsWith("/manifest.json"));
    if (ids.length > before.length) between += 1;
    // The dead run's lease and its reservation are still there.
    expect(await isTold(one, other, {})).toBe(false);
    for (const store of [one, other]) {
      expect((await list({ store }, { set: null })).backups.map(({ id }) => id)).toEqual(ids);
      const { findings } = await verified(store);
      expect(findings.filter(({ severity }) => severity !== "note")).toEqual([]);
    }
  }
  expect(between).toBeGreaterThan(0);
});
