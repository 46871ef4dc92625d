import { expect, test } from "vitest";
import { BackupError } from "../../../src/domain/errors.ts";
import { isSound } from "../../../src/domain/findings.ts";
import type { Store } from "../../../src/ports/store.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { failing, type Fault } from "../../fakes/failing.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { REPOSITORY, tinyBackup, writeBackup } from "../../fakes/sample-backup.ts";
import { verified } from "../../fakes/verified.ts";

const down = new BackupError("TARGET_FAILED", "the network is down");
const EARLIER = new Date("2026-11-20T02:00:00Z");

/** Into a repository with one backup already, so that there is something to spoil. */
async function attempt(store: Store): Promise<void> {
  await writeBackup(await createCatalog(store, REPOSITORY), tinyBackup());
}

test.each<Pick<Fault, "when" | "lasting">>([
  { when: "before" },
  { when: "after" },
  { when: "before", lasting: true },
  { when: "after", lasting: true },
])("whichever call to the store fails (%o), every listed backup is whole", async (how) => {
  using counted = failing(memoryStore(), []);
  await writeBackup(await createCatalog(counted, REPOSITORY), tinyBackup(EARLIER));
  const before = counted.calls.length;
  await attempt(counted);
  const calls = counted.calls.length - before;
  expect(calls).toBeGreaterThan(6);

  const outcomes: string[] = [];
  for (let nth = 1; nth <= calls; nth += 1) {
    const store = memoryStore();
    const first = await writeBackup(await createCatalog(store, REPOSITORY), tinyBackup(EARLIER));
    using flaky = failing(store, [{ ...how, nth, error: down }]);
    const failure: unknown = await attempt(flaky).then(
      () => null,
      (error: unknown) => error,
    );
    const { backups, findings } = await verified(store);
    expect(isSound(findings)).toBe(true);
    expect(backups[0]?.id).toBe(first.id);
    outcomes.push(`${failure === null ? "done" : "failed"}, ${backups.length} listed`);
    // What failed is there only if the target, down ever since it took the manifest, kept us from removing it.
    const failed = how.lasting === true ? [1, 2] : [1];
    expect(failure === null ? [2] : failed).toContain(backups.length);
    expect([null, down]).toContain(failure);
    // And the next run goes through.
    await attempt(store);
    expect(isSound((await verified(store)).findings)).toBe(true);
  }
  expect(outcomes).toContain("failed, 1 listed");
});
