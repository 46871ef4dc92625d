import { beforeEach, describe, expect, test } from "vitest";
import { BackupError } from "../../../src/domain/errors.ts";
import { parseBackupId } from "../../../src/domain/backup-id.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { encodeDocument } from "../../../src/repository/sealed-document.ts";
import { putMark } from "../../../src/repository/marks.ts";
import type { CopyEvent } from "../../../src/usecases/copy-types.ts";
import { committed } from "../../fakes/backup-lab.ts";
import { newRun } from "../../fakes/fake-runs.ts";
import {
  actions,
  backupObjects,
  cloneOf,
  damage,
  FULL,
  LAST,
  MIDDLE,
  OTHER,
  runCopy,
  sampleSource,
} from "../../fakes/copy-lab.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { messages, REPOSITORY, writeBackup } from "../../fakes/sample-backup.ts";
import { verified } from "../../fakes/verified.ts";

let source: MemoryStore;
let to: MemoryStore;

beforeEach(async () => {
  source = await sampleSource();
  to = memoryStore("/copy");
});

/** A backup that another repository made in the same second. */
async function collide(store: MemoryStore): Promise<void> {
  const now = new Date("2026-11-21T19:32:00Z");
  const catalog = await createCatalog(store, { ...REPOSITORY, repositoryId: "a-stranger" });
  await writeBackup(catalog, { now, queues: [{ name: "z", records: messages(3) }] });
}

function volumesOf(store: MemoryStore, id: string): string[] {
  return [...store.objects.keys()].filter((key) => key.startsWith(`backups/${id}/data-`));
}

test("all that is missing comes, byte for byte, with marks, and verifies to the last message; nothing changes at the source", async () => {
  await putMark(source, parseBackupId(MIDDLE), new Date());
  const before = backupObjects(source);
  const result = await runCopy(source, to);
  expect(actions(result)).toEqual([FULL, MIDDLE, LAST, OTHER].map((id) => [id, "copy"]));
  const mark = `backups/${MIDDLE}/mark.json`;
  const { [mark]: copiedMark, ...copied } = backupObjects(to);
  const { [mark]: _, ...original } = before;
  expect(copiedMark).toBeDefined();
  expect(copied).toEqual(original);
  expect(backupObjects(source)).toEqual(before);
  expect((await verified(to)).findings).toEqual([]);
  expect([...to.objects.keys()].filter((key) => key.startsWith("leases/"))).toEqual([]);
  expect(String(to.objects.get("mqbackup-repository.json")?.bytes)).toContain('"the-copy"');
});

test("a second run finds nothing to do, a later one what came since", async () => {
  await runCopy(source, to);
  const before = backupObjects(to);
  const again = await runCopy(source, to, { checksum: true });
  expect(actions(again).map(([, action]) => action)).toEqual(["none", "none", "none", "none"]);
  expect(backupObjects(to)).toEqual(before);
  const now = new Date("2026-11-23T02:00:00Z");
  const catalog = await createCatalog(source, REPOSITORY);
  const { id } = await writeBackup(catalog, { now, queues: [{ name: "q", records: messages(2) }] });
  expect(actions(await runCopy(source, to)).at(-1)).toEqual([id, "copy"]);
});

test("an id comes with what it needs and nothing else", async () => {
  const result = await runCopy(source, to, { backups: [LAST] });
  expect(actions(result).map(([id]) => id)).toEqual(expect.arrayContaining([FULL, LAST]));
  expect(to.objects.has(`backups/${OTHER}/manifest.json`)).toBe(false);
  expect((await verified(to)).findings).toEqual([]);
  expect(actions(await runCopy(source, to, { backups: ["latest"] }))).toEqual([[OTHER, "copy"]]);
  await expect(runCopy(source, to, { backups: ["2025"] })).rejects.toMatchObject({ code: "BACKUP_MISSING" });
});

test("a dry run says the same and touches nothing", async () => {
  const empty = cloneOf(to);
  const result = await runCopy(source, to, { dryRun: true });
  expect(actions(result)).toEqual([FULL, MIDDLE, LAST, OTHER].map((id) => [id, "copy"]));
  expect(result.destinations[0]?.backups.every(({ done, bytes }) => !done && bytes === 0)).toBe(true);
  expect([...to.objects]).toEqual([...empty.objects]);
});

describe("what is damaged at the destination", () => {
  test("missing or of another size: replaced always; other bytes: with --checksum", async () => {
    await runCopy(source, to);
    const whole = backupObjects(to);
    const [first = "", second = "", third = ""] = volumesOf(to, FULL);
    to.objects.delete(first);
    to.objects.set(second, { bytes: Buffer.from("cut"), modifiedAt: new Date() });
    damage(to, third);
    damage(to, `backups/${LAST}/index.tar.zst`);
    const sizes = await runCopy(source, to);
    expect(actions(sizes)).toEqual([
      [FULL, "repair"],
      [MIDDLE, "none"],
      [LAST, "none"],
      [OTHER, "none"],
    ]);
    const { step } = sizes.destinations[0]?.backups[0] ?? {};
    expect(step?.files.map(({ fault }) => fault)).toEqual(["missing", "damaged"]);
    const events: CopyEvent[] = [];
    const sums = await runCopy(source, to, { checksum: true }, { events });
    expect(actions(sums).map(([, action]) => action)).toEqual(["repair", "none", "repair", "none"]);
    expect(backupObjects(to)).toEqual(whole);
    expect(events.some(({ kind }) => kind === "bytes-checked")).toBe(true);
  });

  test("a manifest past reading is put again when files beside it are those of the backup", async () => {
    await runCopy(source, to);
    const whole = backupObjects(to);
    damage(to, `backups/${FULL}/manifest.json`);
    const [volume = ""] = volumesOf(to, FULL);
    damage(to, volume);
    expect(actions(await runCopy(source, to))[0]).toEqual([FULL, "repair"]);
    expect(backupObjects(to)).toEqual(whole);
  });

  test("and stays when none is: it may have been another backup", async () => {
    await collide(to);
    damage(to, `backups/${FULL}/manifest.json`);
    const before = backupObjects(to);
    const result = await runCopy(source, to, { backups: [FULL] });
    expect(actions(result)).toEqual([[FULL, "other-backup"]]);
    expect(backupObjects(to)).toEqual(before);
  });
});

test("another backup of the same id stays as it is, what builds on ours is left, the rest comes", async () => {
  await collide(to);
  const result = await runCopy(source, to);
  expect(actions(result)).toEqual([
    [FULL, "other-backup"],
    [MIDDLE, "needs"],
    [LAST, "needs"],
    [OTHER, "copy"],
  ]);
  expect((await committed(to)).get("z")).toHaveLength(3);
});

describe("what is damaged at the source", () => {
  test("is copied nowhere, nor what builds on it; the rest is", async () => {
    damage(source, volumesOf(source, FULL)[1] ?? "");
    const result = await runCopy(source, to);
    expect(actions(result)).toEqual([
      [FULL, "source"],
      [MIDDLE, "needs"],
      [LAST, "needs"],
      [OTHER, "copy"],
    ]);
    expect(result.destinations[0]?.backups[0]?.left).toMatchObject({ damaged: true });
    expect((await verified(to)).findings.filter(({ severity }) => severity !== "note")).toEqual([]);
    // Nothing of the damaged volume got there.
    expect(to.objects.has(volumesOf(source, FULL)[1] ?? "")).toBe(false);
  });

  test("does no harm where it was copied before", async () => {
    await runCopy(source, to);
    const whole = backupObjects(to);
    damage(source, volumesOf(source, FULL)[0] ?? "");
    expect(actions(await runCopy(source, to, { checksum: true })).every(([, each]) => each === "none")).toBe(
      true,
    );
    expect(backupObjects(to)).toEqual(whole);
    // And comes back from there.
    expect(actions(await runCopy(to, source, { checksum: true }))[0]).toEqual([FULL, "repair"]);
    expect((await verified(source)).findings).toEqual([]);
  });

  test("a manifest: told, and the others come", async () => {
    damage(source, `backups/${OTHER}/manifest.json`);
    const result = await runCopy(source, to);
    expect(result.unusable).toMatchObject([{ id: OTHER, damage: { code: "MANIFEST_DAMAGED" } }]);
    expect(actions(result)).toHaveLength(3);
  });

  test("removed while it is copied: not damaged", async () => {
    const removing = {
      ...source,
      get: (...[key, options]: Parameters<MemoryStore["get"]>) => {
        if (key.startsWith(`backups/${OTHER}/data-`)) {
          for (const each of source.objects.keys())
            if (each.startsWith(`backups/${OTHER}/`)) source.objects.delete(each);
        }
        return source.get(key, options);
      },
    };
    expect(actions(await runCopy(removing, to)).at(-1)).toEqual([OTHER, "removed"]);
  });
});

describe("beside other runs", () => {
  test("a set that another run holds is left to it", async () => {
    const running = newRun();
    const lease = {
      format: 1,
      id: "abc",
      set: "sample",
      command: "full",
      ...running.current,
      acquiredAt: new Date(),
      expiresAt: new Date(Date.now() + 300_000),
    };
    const bytes = Buffer.from(encodeDocument(lease));
    await runCopy(source, to, { backups: [OTHER] });
    const held = new Map(to.objects);
    const { leaseFolder } = await import("../../../src/domain/entry-name.ts");
    const { createHash } = await import("node:crypto");
    const folder = leaseFolder(createHash("sha256").update("sample").digest("hex").slice(0, 16), "sample");
    to.objects.set(`${folder}/abc.json`, { bytes, modifiedAt: new Date() });
    const alive = { runs: newRun({ isGone: () => false }) };
    const result = await runCopy(source, to, {}, alive);
    expect(result.destinations[0]?.failure).toMatchObject({ code: "LEASE_HELD" });
    expect(Object.keys(backupObjects(to))).toEqual(
      [...held.keys()].filter((key) => key.startsWith("backups/")),
    );
    const broken = await runCopy(source, to, { breakLease: true }, alive);
    expect(broken.destinations[0]?.failure).toBeNull();
    expect((await committed(to)).size).toBeGreaterThan(1);
  });

  test.each([
    { what: "a run of another set is at work", atWork: true, left: "at-work" },
    { what: "nobody is", atWork: false, left: "copy" },
  ])("an id that somebody else began, and $what", async ({ atWork, left }) => {
    const now = new Date();
    await createCatalog(to, REPOSITORY);
    const begun = Buffer.from(encodeDocument({ format: 1, id: OTHER, begunAt: "2026-11-22T02:00:00.777Z" }));
    to.objects.set(`backups/${OTHER}/begun.json`, { bytes: begun, modifiedAt: now });
    to.objects.set(`backups/${OTHER}/data-00001.tar.zst`, { bytes: Buffer.from("theirs"), modifiedAt: now });
    if (atWork) to.objects.set("leases/another/x.json", { bytes: Buffer.from("{}"), modifiedAt: now });
    expect(actions(await runCopy(source, to, { backups: [OTHER] }))).toEqual([[OTHER, left]]);
    const volume = String(to.objects.get(`backups/${OTHER}/data-00001.tar.zst`)?.bytes);
    expect(volume === "theirs").toBe(atWork);
  });
});

test("one destination that fails does not keep the others from it", async () => {
  const full = new BackupError("TARGET_FULL", "no space");
  const broken = { ...memoryStore("/full"), put: async () => Promise.reject(full) };
  const { destinations } = await runCopy(source, [broken, to]);
  expect(destinations.map(({ failure }) => failure)).toEqual([full, null]);
  expect((await verified(to)).findings).toEqual([]);
});

test("interrupted: what is listed restores, and the next run goes on from there", async () => {
  const controller = new AbortController();
  const reason = new BackupError("INTERRUPTED", "interrupted by SIGTERM");
  const events: CopyEvent[] = [];
  let puts = 0;
  const counting = {
    ...to,
    put: async (...args: Parameters<MemoryStore["put"]>) => {
      puts += 1;
      if (puts === 6) controller.abort(reason);
      await to.put(...args);
    },
  };
  const { signal } = controller;
  const { destinations } = await runCopy(source, [counting, memoryStore("/later")], {}, { signal, events });
  expect(destinations.map(({ failure }) => failure)).toEqual([reason, reason]);
  await committed(to);
  const there = volumesOf(to, FULL).length;
  expect(there).toBeGreaterThan(0);
  const result = await runCopy(source, to);
  const files = result.destinations[0]?.backups[0]?.step.files.length ?? 0;
  expect(files).toBe(volumesOf(source, FULL).length + 1 - there);
  expect((await verified(to)).findings).toEqual([]);
});
