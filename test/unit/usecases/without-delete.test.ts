import { expect, test } from "vitest";
import { withRefusedDeletes } from "../../../src/adapters/store/refused-deletes.ts";
import { BackupError } from "../../../src/domain/errors.ts";
import type { Store } from "../../../src/ports/store.ts";
import { backup } from "../../../src/usecases/backup.ts";
import { withLease } from "../../../src/usecases/with-lease.ts";
import { backupDeps, backupRequest, committed } from "../../fakes/backup-lab.ts";
import { cloneOf, runCopy, sampleSource } from "../../fakes/copy-lab.ts";
import { failing } from "../../fakes/failing.ts";
import { newRun } from "../../fakes/fake-runs.ts";
import { HeldQueues } from "../../fakes/held-queues.ts";
import { leaseDeps } from "../../fakes/lease-lab.ts";
import { listed } from "../../fakes/prune-lab.ts";
import { messages } from "../../fakes/sample-backup.ts";
import { withoutDelete } from "../../fakes/without-delete.ts";
import { tempDirectory } from "../../lab/temp.ts";

// What a host may do that is allowed to put and to read, and to remove nothing.

const NEVER = new AbortController().signal;
const INCREMENTAL = { base: null, requireBase: true };

async function take(store: Store, queues: HeldQueues, more: Parameters<typeof backupRequest>[1] = {}) {
  await using temp = await tempDirectory();
  // Of another machine each time: it cannot know that the run before has ended.
  const deps = { ...backupDeps(queues, [store], temp), runs: newRun({ isGone: () => false }) };
  return await backup(deps, backupRequest(["q"], { set: "nightly", ...more }), NEVER);
}

test("backups one after the other, each on the one before", async () => {
  const store = withoutDelete();
  const queues = new HeldQueues({ q: messages(20) });
  await take(store, queues);
  await take(store, queues, { incremental: INCREMENTAL });
  await take(store, queues, { incremental: INCREMENTAL });
  expect((await committed(store)).get("q")).toHaveLength(60);
  expect(listed(store)).toHaveLength(3);
  expect(queues.held.size).toBe(0);
});

test("a run that fails leaves what no manifest names, and hinders no other", async () => {
  const store = withoutDelete();
  const queues = new HeldQueues({ q: messages(20) });
  const error = new BackupError("TARGET_FAILED", "the disk said no");
  {
    using broken = failing(store, [{ on: "put", key: /index/, error }]);
    await expect(take(broken, queues)).rejects.toBe(error);
  }
  expect(listed(store)).toEqual([]);
  await take(store, queues);
  expect(listed(store)).toHaveLength(1);
});

test("copies, also into what a copy has begun", async () => {
  const source = await sampleSource();
  const to = withoutDelete("/copy");
  const error = new BackupError("TARGET_FAILED", "the disk said no");
  {
    using broken = failing(to, [{ on: "put", key: /manifest/, nth: 2, error }]);
    const { destinations } = await runCopy(source, broken);
    expect(destinations[0]?.failure).toBe(error);
  }
  const { destinations } = await runCopy(source, to);
  expect(destinations[0]?.failure).toBeNull();
  expect(listed(to)).toEqual(listed(source));
  expect(await committed(cloneOf(to))).toEqual(await committed(source));
});

test("another run's lease is taken away all the same, and it notices", async () => {
  const store = withoutDelete();
  const wish = { stores: [store], set: "nightly", command: "full", breakLease: false };
  await withLease(leaseDeps(), wish, NEVER, async (first) => {
    const breaking = { ...wish, breakLease: true };
    await withLease(leaseDeps(), breaking, NEVER, async (second) => {
      await second.assertHeld();
      await expect(first.assertHeld()).rejects.toMatchObject({
        code: "LEASE_HELD",
        message: expect.stringContaining("it was taken away"),
      });
    });
  });
  await expect(withLease(leaseDeps(), wish, NEVER, async () => "done")).resolves.toBe("done");
});

test("that nothing can be removed is told once, and a failure of another kind is not taken for it", async () => {
  const told: string[] = [];
  const refusing = withRefusedDeletes(withoutDelete("there"), (location) => told.push(location));
  for (const key of ["a", "b"]) {
    await expect(refusing.delete(key)).rejects.toMatchObject({ code: "TARGET_REFUSED" });
  }
  expect(told).toEqual(["there"]);
  const error = new BackupError("TARGET_FAILED", "the disk said no");
  using broken = failing(withoutDelete(), [{ on: "delete", error }]);
  await expect(withRefusedDeletes(broken, (where) => told.push(where)).delete("a")).rejects.toBe(error);
  expect(told).toEqual(["there"]);
});
