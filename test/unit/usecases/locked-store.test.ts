import { expect, test } from "vitest";
import { BackupError } from "../../../src/domain/errors.ts";
import { DAY_MS, type ObjectLock } from "../../../src/domain/object-lock.ts";
import type { Store } from "../../../src/ports/store.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { backup } from "../../../src/usecases/backup.ts";
import { lockedStore } from "../../../src/usecases/locked-store.ts";
import { backupDeps, backupRequest } from "../../fakes/backup-lab.ts";
import { FULL, LAST, MIDDLE, runCopy, sampleSource } from "../../fakes/copy-lab.ts";
import { failing } from "../../fakes/failing.ts";
import { HeldQueues } from "../../fakes/held-queues.ts";
import { lockingStore, type LockingStore } from "../../fakes/locking-store.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { listed } from "../../fakes/prune-lab.ts";
import { messages, REPOSITORY } from "../../fakes/sample-backup.ts";
import { tempDirectory } from "../../lab/temp.ts";

const NEVER = new AbortController().signal;
const UNTIL = new Date("2026-12-24T18:00:00Z");
const DAY_LATER = new Date(UNTIL.getTime() + DAY_MS);
const LOCK: ObjectLock = { mode: "governance", until: UNTIL };

async function locking(store: Store, lock = LOCK): Promise<Store> {
  return lockedStore(store, lock, {});
}

/** Lasting objects of a backup. */
function filesOf({ objects }: LockingStore, id = ""): string[] {
  return [...objects.keys()].filter((key) => key.startsWith(`backups/${id}`) && !key.endsWith("mark.json"));
}

test("all that a backup consists of is locked, and nothing else", async () => {
  await using temp = await tempDirectory();
  const store = lockingStore();
  const queues = new HeldQueues({ q: messages(60) });
  await backup(backupDeps(queues, [await locking(store)], temp), backupRequest(["q"]), NEVER);
  const files = filesOf(store);
  expect(files.map((key) => key.slice(key.lastIndexOf("/") + 1))).toEqual(
    expect.arrayContaining(["manifest.json", "index.tar.zst", "data-00001.tar.zst"]),
  );
  expect([...store.held.keys()].toSorted()).toEqual(files.toSorted());
  expect(new Set(store.held.values())).toEqual(new Set([LOCK]));
});

test("a copy of a chain: each is locked, and what it needs of others at least as long", async () => {
  const source = await sampleSource();
  const store = lockingStore();
  await runCopy(source, await locking(store), { backups: [MIDDLE] });
  const later = { mode: "compliance", until: new Date(UNTIL.getTime() + 30 * DAY_MS) } as const;
  store.extended.length = 0;
  await runCopy(source, await locking(store, later), { backups: [LAST] });
  for (const key of filesOf(store, `${LAST}/`)) expect(store.held.get(key)).toEqual(later);
  const until = new Date(later.until.getTime() + DAY_MS);
  for (const id of [FULL, MIDDLE]) {
    const files = filesOf(store, `${id}/`);
    for (const key of files) expect(store.held.get(key), key).toEqual({ ...LOCK, until });
    // Whoever finds this one locked so long need not look at the others.
    expect(store.extended.findLast((key) => key.includes(`/${id}/`))).toBe(`backups/${id}/manifest.json`);
  }
  expect(listed(store)).toEqual([FULL, MIDDLE, LAST]);
});

test("what lasts long enough is asked about once, and left", async () => {
  const source = await sampleSource();
  const store = lockingStore();
  await runCopy(source, await locking(store, { ...LOCK, until: DAY_LATER }), { backups: [MIDDLE] });
  [store.asked.length, store.extended.length] = [0, 0];
  await runCopy(source, await locking(store), { backups: [LAST] });
  expect(store.extended).toEqual([]);
  expect(store.asked.toSorted()).toEqual([FULL, MIDDLE].map((id) => `backups/${id}/manifest.json`));
});

test("no lock is weakened or shortened: of one object alone, by hand, by a legal hold", async () => {
  const source = await sampleSource();
  const store = lockingStore();
  await runCopy(source, store, { backups: [MIDDLE] });
  const far = { mode: "compliance", until: new Date("2030-01-01") } as const;
  const near = { mode: "compliance", until: new Date("2026-11-30") } as const;
  const [volume = "", index = ""] = filesOf(store, `${FULL}/`);
  store.held.set(volume, far);
  store.held.set(index, near);
  store.held.set(`backups/${MIDDLE}/manifest.json`, { mode: "compliance", until: null });
  await runCopy(source, await locking(store), { backups: [LAST] });
  expect(store.held.get(volume)).toEqual(far);
  expect(store.held.get(index)).toEqual({ mode: "compliance", until: DAY_LATER });
  expect(store.held.get(`backups/${FULL}/manifest.json`)).toEqual({ mode: "governance", until: DAY_LATER });
  expect(store.held.get(`backups/${MIDDLE}/manifest.json`)).toEqual({ mode: "compliance", until: null });
});

test("where locking fails there is no backup", async () => {
  const source = await sampleSource();
  const store = lockingStore();
  await runCopy(source, store, { backups: [MIDDLE] });
  const error = new BackupError("TARGET_REFUSED", "access denied");
  const refusing: Store = {
    ...store,
    locks: { check: async () => {}, of: async () => null, extend: async () => Promise.reject(error) },
  };
  const { destinations } = await runCopy(source, await locking(refusing), { backups: [LAST] });
  expect(destinations[0]?.failure).toBe(error);
  expect(filesOf(store, `${LAST}/manifest.json`)).toEqual([]);
});

test("a store that cannot lock is refused before anything is put", async () => {
  const refused = { code: "TARGET_REFUSED", message: "/backups cannot lock what it keeps" };
  await expect(locking(memoryStore("/backups"))).rejects.toMatchObject(refused);
  const error = new BackupError("TARGET_REFUSED", "it was made without");
  using watched = failing(lockingStore(), []);
  const locks = { check: async () => Promise.reject(error), of: async () => null, extend: async () => {} };
  await expect(locking({ ...watched, locks })).rejects.toBe(error);
  expect(watched.calls).toEqual([]);
});

test("documents of the repository, marks and leases are never locked", async () => {
  const store = lockingStore();
  const catalog = await createCatalog(await locking(store), REPOSITORY);
  await catalog.claim({ kind: "full", base: null, now: new Date() });
  for (const name of ["mark.json", "other.txt", "deeper/manifest.json"]) {
    await catalog.store.put(`backups/${FULL}/${name}`, { bytes: 0, open: async function* open() {} });
  }
  await catalog.store.put("backups/elsewhere/manifest.json", { bytes: 0, open: async function* open() {} });
  expect([...store.held.keys()]).toEqual([]);
  expect(store.objects.size).toBe(6);
});
