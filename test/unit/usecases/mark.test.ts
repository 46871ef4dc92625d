import { expect, test } from "vitest";
import type { Store } from "../../../src/ports/store.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { decodeDocument } from "../../../src/repository/sealed-document.ts";
import { mark } from "../../../src/usecases/mark.ts";
import { failing } from "../../fakes/failing.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { REPOSITORY, tinyBackup, writeBackup } from "../../fakes/sample-backup.ts";
import { verified } from "../../fakes/verified.ts";

const ID = "20261121-193200F";
const KEY = `backups/${ID}/mark.json`;
const NOW = new Date("2026-12-01T08:00:00Z");

async function repository(location?: string): Promise<MemoryStore> {
  const store = memoryStore(location);
  await writeBackup(await createCatalog(store, REPOSITORY), tinyBackup());
  return store;
}

async function set(marked: boolean, backup: string, ...stores: readonly [Store, ...Store[]]) {
  return mark({ stores, now: () => NOW }, { backup, marked });
}

test("a mark is a document beside the manifest, put once and taken away once", async () => {
  const store = await repository();
  const before = [...store.objects.keys()];
  expect(await set(true, "latest", store)).toEqual({
    id: ID,
    targets: [{ location: "memory", changed: true }],
  });
  expect(decodeDocument(store.objects.get(KEY)?.bytes ?? new Uint8Array(), KEY)).toMatchObject({
    format: 1,
    id: ID,
    markedAt: NOW.toISOString(),
  });
  const kept = store.objects.get(KEY);
  expect((await set(true, ID, store)).targets).toEqual([{ location: "memory", changed: false }]);
  expect(store.objects.get(KEY)).toBe(kept);
  expect((await set(false, "2026", store)).targets).toEqual([{ location: "memory", changed: true }]);
  expect([...store.objects.keys()]).toEqual(before);
  expect((await set(false, "2026", store)).targets).toEqual([{ location: "memory", changed: false }]);
});

test("verify takes a mark for what it is", async () => {
  const store = await repository();
  await set(true, ID, store);
  const { findings } = await verified(store);
  expect(findings).toEqual([]);
});

test("every target gets the mark, or none does", async () => {
  const first = await repository("first");
  const second = await repository("second");
  expect((await set(true, "latest", first, second)).targets).toEqual([
    { location: "first", changed: true },
    { location: "second", changed: true },
  ]);
  await set(false, ID, first);
  second.objects.delete(`backups/${ID}/manifest.json`);
  await expect(set(true, ID, first, second)).rejects.toMatchObject({
    code: "BACKUP_MISSING",
    message: expect.stringContaining("second"),
  });
  expect(first.objects.has(KEY)).toBe(false);
});

test("what is no backup cannot be marked", async () => {
  const store = await repository();
  await expect(set(true, "2027", store)).rejects.toMatchObject({ code: "BACKUP_MISSING" });
  await expect(set(true, "latest", memoryStore())).rejects.toMatchObject({ code: "REPOSITORY_MISSING" });
});

test("a backup that is removed while it is marked is not said to be marked, and keeps no mark", async () => {
  const store = await repository();
  const removing: Store = {
    ...store,
    put: async (key, body, options) => {
      await store.put(key, body, options);
      store.objects.delete(`backups/${ID}/manifest.json`);
    },
  };
  await expect(set(true, ID, removing)).rejects.toMatchObject({ code: "BACKUP_MISSING" });
  expect(store.objects.has(KEY)).toBe(false);
});

test.each([true, false])(
  "marked %s: a store that fails at any call leaves it marked or not, and a second try helps",
  async (marked) => {
    const whole = await repository();
    if (!marked) await set(true, ID, whole);
    using counted = failing(whole, []);
    await set(marked, ID, counted);
    expect(counted.calls.length).toBeGreaterThan(3);
    for (let nth = 1; nth <= counted.calls.length; nth += 1) {
      for (const when of ["before", "after"] as const) {
        const store = await repository();
        if (!marked) await set(true, ID, store);
        const error = new Error("the disk said no");
        using broken = failing(store, [{ nth, when, error }]);
        await expect(set(marked, ID, broken)).rejects.toBe(error);
        await set(marked, ID, store);
        expect(store.objects.has(KEY)).toBe(marked);
        expect(store.objects.has(`backups/${ID}/manifest.json`)).toBe(true);
      }
    }
  },
);
