import { expect, test } from "vitest";
import { parseBackupId } from "../../../src/domain/backup-id.ts";
import { outlineOf } from "../../../src/domain/backup-outline.ts";
import { BackupError } from "../../../src/domain/errors.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import {
  createCatalog,
  openCatalog,
  type Catalog,
  type DamagedManifest,
} from "../../../src/repository/catalog.ts";
import { encodeManifest } from "../../../src/repository/manifest-codec.ts";
import { encodeDocument } from "../../../src/repository/sealed-document.ts";
import { failing } from "../../fakes/failing.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { REPOSITORY, message, writeBackup } from "../../fakes/sample-backup.ts";

const NOW = new Date("2026-11-21T19:32:00.250Z");
const full = { kind: "full", base: null, now: NOW } as const;

/** The manifest of a backup of nothing much, not yet committed. */
async function manifestFor(id: string): Promise<Manifest> {
  const catalog = await createCatalog(memoryStore(), REPOSITORY);
  const small = { now: NOW, queues: [{ name: "q", records: [message(1)] }] };
  return { ...(await writeBackup(catalog, small)), id };
}

async function idsOf(catalog: Catalog): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of catalog.list()) ids.push(id);
  return ids;
}

test("a repository is made once and found ever after", async () => {
  const store = memoryStore();
  await expect(openCatalog(store)).rejects.toMatchObject({
    code: "REPOSITORY_MISSING",
    message: "there is no repository at memory",
  });
  const made = await createCatalog(store, REPOSITORY);
  const again = await createCatalog(store, { now: new Date(), repositoryId: "another" });
  expect(again.repository).toEqual(made.repository);
  expect((await openCatalog(store)).repository).toEqual({
    format: 1,
    id: REPOSITORY.repositoryId,
    createdAt: REPOSITORY.now.toISOString(),
  });
});

test("two that make the repository at once get the same one", async () => {
  const store = memoryStore();
  const [one, two] = await Promise.all([
    createCatalog(store, REPOSITORY),
    createCatalog(store, { ...REPOSITORY, repositoryId: "another" }),
  ]);
  expect(one.repository).toEqual(two.repository);
});

test("a target that cannot be read is not an empty one", async () => {
  const store = memoryStore();
  const broken = new BackupError("TARGET_FAILED", "the network is down");
  using flaky = failing(store, [{ on: "get", key: /repository/, error: broken }]);
  await expect(createCatalog(flaky, REPOSITORY)).rejects.toBe(broken);
  expect(store.objects.size).toBe(0);
});

test("a damaged or newer repository document", async () => {
  const store = memoryStore();
  await createCatalog(store, REPOSITORY);
  const kept = store.objects.get("mqbackup-repository.json");
  if (kept === undefined) throw new Error("no document");
  for (let at = 0; at < kept.bytes.length; at += 1) {
    const bytes = Buffer.from(kept.bytes);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x04, at);
    store.objects.set("mqbackup-repository.json", { ...kept, bytes });
    await expect(openCatalog(store)).rejects.toMatchObject({
      code: "MANIFEST_DAMAGED",
      message: expect.stringContaining("mqbackup-repository.json is damaged"),
    });
  }
  const documents: [Record<string, unknown>, string][] = [
    [{ format: 2 }, "FORMAT_NEWER"],
    [{ format: 1 }, "MANIFEST_DAMAGED"],
    [{ format: 1, id: 7, createdAt: "2026-11-21T19:31:00Z" }, "MANIFEST_DAMAGED"],
    [{ format: 0, id: "x", createdAt: "2026-11-21T19:31:00Z" }, "MANIFEST_DAMAGED"],
  ];
  for (const [document, code] of documents) {
    store.objects.set("mqbackup-repository.json", { ...kept, bytes: Buffer.from(encodeDocument(document)) });
    await expect(openCatalog(store)).rejects.toMatchObject({ code });
  }
});

test("claims in one second do not collide, at once or one after another", async () => {
  const store = memoryStore();
  const catalogs = [
    await createCatalog(store, REPOSITORY),
    await openCatalog(store),
    await openCatalog(store),
  ];
  const ids = await Promise.all(catalogs.map(async (catalog) => catalog.claim(full)));
  expect(ids.toSorted()).toEqual(["20261121-193200F", "20261121-193201F", "20261121-193202F"]);
  const incremental = { kind: "incremental", base: parseBackupId("20261121-193200F"), now: NOW } as const;
  const own = await openCatalog(store);
  expect(await own.claim(incremental)).toBe("20261121-193200F_20261121-193200I");
  expect(await own.claim(incremental)).toBe("20261121-193200F_20261121-193201I");
});

test("a committed backup's id is not claimed again", async () => {
  const store = memoryStore();
  const catalog = await createCatalog(store, REPOSITORY);
  const manifest = await writeBackup(catalog, { now: NOW, queues: [] });
  expect(manifest.id).toBe("20261121-193200F");
  expect(await (await openCatalog(store)).claim(full)).toBe("20261121-193201F");
  expect(await idsOf(catalog)).toEqual(["20261121-193200F"]);
  expect([...store.objects.keys()]).not.toContain("backups/20261121-193200F/begun.json");
});

test("claims run out when every second is taken", async () => {
  const store = memoryStore();
  const catalog = await createCatalog(store, REPOSITORY);
  for (let second = 0; second < 60; second += 1) await catalog.claim(full);
  await expect(catalog.claim(full)).rejects.toMatchObject({ code: "LEASE_HELD" });
});

test("what is not committed is not a backup", async () => {
  const catalog = await createCatalog(memoryStore(), REPOSITORY);
  const id = await catalog.claim(full);
  expect(await idsOf(catalog)).toEqual([]);
  await expect(catalog.resolve("latest")).rejects.toMatchObject({ code: "BACKUP_MISSING" });
  await expect(catalog.resolve(id)).rejects.toMatchObject({ code: "BACKUP_MISSING" });
  await expect(catalog.manifest(id)).rejects.toMatchObject({ code: "BACKUP_MISSING" });
});

test("only who claimed may commit or abandon", async () => {
  const store = memoryStore();
  const catalog = await createCatalog(store, REPOSITORY);
  const id = await catalog.claim(full);
  const stranger = await openCatalog(store);
  await expect(stranger.commit(await manifestFor(id))).rejects.toMatchObject({ code: "INTERNAL" });
  await expect(stranger.abandon(id)).rejects.toMatchObject({ code: "INTERNAL" });
  await catalog.commit(await manifestFor(id));
  await expect(catalog.abandon(id)).rejects.toMatchObject({ code: "INTERNAL" });
  await expect(catalog.commit(await manifestFor(id))).rejects.toMatchObject({ code: "INTERNAL" });
  expect(await idsOf(catalog)).toEqual([id]);
});

test("a commit that was taken without a word, and is tried again, is a commit", async () => {
  const store = memoryStore();
  const lost = new BackupError("TARGET_FAILED", "the answer was lost");
  using flaky = failing(store, [{ on: "put", key: /manifest/, when: "after", error: lost }]);
  const catalog = await createCatalog(flaky, REPOSITORY);
  const id = await catalog.claim(full);
  const manifest = await manifestFor(id);
  await expect(catalog.commit(manifest)).rejects.toBe(lost);
  await catalog.commit(manifest);
  expect(await catalog.manifest(id)).toEqual(manifest);
});

test("another's manifest in our place is neither replaced nor removed", async () => {
  const store = memoryStore();
  const catalog = await createCatalog(store, REPOSITORY);
  const id = await catalog.claim(full);
  const theirs = { ...(await manifestFor(id)), set: "theirs" };
  const key = `backups/${id}/manifest.json`;
  store.objects.set(key, { bytes: Buffer.from(encodeManifest(theirs)), modifiedAt: NOW });
  await expect(catalog.commit(await manifestFor(id))).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
  await expect(catalog.abandon(id)).rejects.toMatchObject({ code: "INTERNAL" });
  expect((await catalog.manifest(id)).set).toBe("theirs");
});

test("a reservation that cannot be removed does not undo a commit", async () => {
  const broken = new BackupError("TARGET_FAILED", "the network is down");
  using flaky = failing(memoryStore(), [{ on: "delete", key: /begun/, error: broken }]);
  const catalog = await createCatalog(flaky, REPOSITORY);
  const id = await catalog.claim(full);
  await catalog.commit(await manifestFor(id));
  expect(await idsOf(catalog)).toEqual([id]);
});

test("abandoning removes all that was put, the manifest first and the reservation last", async () => {
  const store = memoryStore();
  using watched = failing(store, []);
  const catalog = await createCatalog(watched, REPOSITORY);
  const id = await catalog.claim(full);
  for (const name of ["data-00001.tar.zst", "index.tar.zst"]) {
    store.objects.set(`backups/${id}/${name}`, { bytes: Buffer.from("x"), modifiedAt: NOW });
  }
  await catalog.abandon(id);
  expect([...store.objects.keys()]).toEqual(["mqbackup-repository.json"]);
  expect(watched.calls.filter((call) => call.startsWith("delete"))).toEqual([
    `delete backups/${id}/manifest.json`,
    `delete backups/${id}/data-00001.tar.zst`,
    `delete backups/${id}/index.tar.zst`,
    `delete backups/${id}/begun.json`,
  ]);
});

test("volumes are not removed while the manifest may still be there", async () => {
  const store = memoryStore();
  const broken = new BackupError("TARGET_FAILED", "the network is down");
  using flaky = failing(store, [
    { on: "put", key: /manifest/, when: "after", error: broken },
    { on: "delete", key: /manifest/, error: broken },
  ]);
  const catalog = await createCatalog(flaky, REPOSITORY);
  const id = await catalog.claim(full);
  store.objects.set(`backups/${id}/data-00001.tar.zst`, { bytes: Buffer.from("x"), modifiedAt: NOW });
  await expect(catalog.commit(await manifestFor(id))).rejects.toBe(broken);
  await expect(catalog.abandon(id)).rejects.toBe(broken);
  expect([...store.objects.keys()]).toContain(`backups/${id}/data-00001.tar.zst`);
  // Tried again, it goes all the way.
  await catalog.abandon(id);
  expect([...store.objects.keys()]).toEqual(["mqbackup-repository.json"]);
});

/** Committed manifests of these ids, without their volumes. */
async function withBackups(ids: readonly string[]): Promise<{ store: MemoryStore; catalog: Catalog }> {
  const store = memoryStore();
  const catalog = await createCatalog(store, REPOSITORY);
  for (const id of ids) {
    const base = id.includes("_") ? id.slice(0, 16) : null;
    const manifest = {
      ...(await manifestFor(id)),
      base,
      kind: base === null ? "full" : "incremental",
    } as Manifest;
    store.objects.set(`backups/${id}/manifest.json`, {
      bytes: Buffer.from(encodeManifest(manifest)),
      modifiedAt: NOW,
    });
  }
  return { store, catalog };
}

const IDS = [
  "20261120-020000F",
  "20261120-020000F_20261121-020000I",
  "20261121-010000F",
  "20261120-020000F_20261122-020000I",
];

test("lists oldest first, whatever the chain", async () => {
  const { catalog } = await withBackups(IDS.toReversed());
  expect((await catalog.outlines()).map(({ id }) => id)).toEqual(await idsOf(catalog));
  expect(await idsOf(catalog)).toEqual([
    "20261120-020000F",
    "20261121-010000F",
    "20261120-020000F_20261121-020000I",
    "20261120-020000F_20261122-020000I",
  ]);
});

test("ids, beginnings of ids, and latest", async () => {
  const { catalog } = await withBackups(IDS);
  const found: [string, string][] = [
    ["latest", "20261120-020000F_20261122-020000I"],
    ["20261120-020000F", "20261120-020000F"],
    ["20261121-01", "20261121-010000F"],
    ["20261122", "20261120-020000F_20261122-020000I"],
    ["20261121-020000I", "20261120-020000F_20261121-020000I"],
    ["20261120-020000F_20261121", "20261120-020000F_20261121-020000I"],
  ];
  for (const [text, id] of found) expect(await catalog.resolve(text)).toBe(id);
  for (const text of ["20261120", "20261121", "2"]) {
    await expect(catalog.resolve(text)).rejects.toMatchObject({
      code: "BACKUP_AMBIGUOUS",
      message: expect.stringContaining("20261120-020000F"),
    });
  }
  for (const text of ["2027", "", "x", "../20261120-020000F"]) {
    await expect(catalog.resolve(text)).rejects.toMatchObject({ code: "BACKUP_MISSING" });
  }
});

test("a damaged manifest is listed as damaged, a newer one as newer, and the others still listed", async () => {
  const { store, catalog } = await withBackups(IDS);
  const key = (id: string | undefined): string => `backups/${id}/manifest.json`;
  store.objects.set(key(IDS[0]), { bytes: Buffer.from("{}"), modifiedAt: NOW });
  store.objects.set(key(IDS[2]), { bytes: Buffer.from(encodeDocument({ format: 2 })), modifiedAt: NOW });
  const other = Buffer.from(encodeManifest(await manifestFor("20200101-000000F")));
  store.objects.set(key(IDS[3]), { bytes: other, modifiedAt: NOW });
  const listed: Record<string, string> = {};
  const told = (entry: { readonly id: string } | DamagedManifest): string =>
    "damage" in entry ? entry.damage.code : "whole";
  for await (const entry of catalog.list()) listed[entry.id] = told(entry);
  expect(Object.fromEntries((await catalog.outlines()).map((entry) => [entry.id, told(entry)]))).toEqual(
    listed,
  );
  expect(listed).toEqual({
    "20261120-020000F": "MANIFEST_DAMAGED",
    "20261120-020000F_20261121-020000I": "whole",
    "20261121-010000F": "FORMAT_NEWER",
    "20261120-020000F_20261122-020000I": "MANIFEST_DAMAGED",
  });
  // The latest is damaged, and not an older one instead.
  expect(await catalog.resolve("latest")).toBe(IDS[3]);
});

test("foreign things among the backups are none", async () => {
  const { store, catalog } = await withBackups(["20261120-020000F"]);
  for (const key of [
    "backups/README",
    "backups/notes/manifest.json",
    "backups/20261199-000000F/manifest.json",
    "other",
  ]) {
    store.objects.set(key, { bytes: Buffer.from("x"), modifiedAt: NOW });
  }
  expect(await idsOf(catalog)).toEqual(["20261120-020000F"]);
});

test("a backup removed while listing is not listed, a store that fails is not skipped", async () => {
  const { store } = await withBackups(IDS);
  const gone = new BackupError("OBJECT_MISSING", "gone");
  using removed = failing(store, [{ on: "get", key: /20261121-010000F/, error: gone }]);
  expect(await idsOf(await openCatalog(removed))).toHaveLength(3);
  const broken = new BackupError("TARGET_FAILED", "the network is down");
  using flaky = failing(store, [{ on: "get", key: /20261121-010000F/, error: broken }]);
  await expect(idsOf(await openCatalog(flaky))).rejects.toBe(broken);
});

test("the same for outlines, and after a failure no more is read", async () => {
  const { store } = await withBackups(IDS);
  const gone = new BackupError("OBJECT_MISSING", "gone");
  using removed = failing(store, [{ on: "get", key: /20261121-010000F/, error: gone }]);
  expect(await (await openCatalog(removed)).outlines()).toHaveLength(3);
  const many = Array.from({ length: 60 }, (_, n) => `20261201-0000${String(n).padStart(2, "0")}F`);
  const { store: large } = await withBackups(many);
  const broken = new BackupError("TARGET_FAILED", "the network is down");
  using flaky = failing(large, [{ on: "get", key: /20261201-000003F/, error: broken }]);
  await expect((await openCatalog(flaky)).outlines()).rejects.toBe(broken);
  expect(flaky.calls.filter((call) => call.startsWith("get backups/")).length).toBeLessThan(40);
});

test("what the quick way has doubts about is read as a whole", async () => {
  const { store, catalog } = await withBackups(["20261120-020000F"]);
  const key = "backups/20261120-020000F/manifest.json";
  const manifest = { ...(await manifestFor("20261120-020000F")), set: "s".repeat(100_000) };
  store.objects.set(key, { bytes: Buffer.from(encodeManifest(manifest)), modifiedAt: NOW });
  expect(await catalog.outlines()).toEqual([{ ...outlineOf(manifest), marked: false }]);
});
