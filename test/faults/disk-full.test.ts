import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { localSpool } from "../../src/adapters/archive/local-spool.ts";
import { fileStore } from "../../src/adapters/store/file-store.ts";
import { body, keysOf, read } from "../contract/store-suite.ts";
import { smallDisk } from "../lab/tmpfs.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;

test("a put on a full disk is TARGET_FULL, leaves nothing, and what was there stays", async () => {
  await using disk = await smallDisk(2 * MIB);
  const store = fileStore(disk.path);
  await store.put("backups/a/small", body(Buffer.alloc(MIB / 2, 1)));
  const full = { code: "TARGET_FULL", hint: expect.stringContaining("Free some space") };
  const large = body(Buffer.alloc(4 * MIB, 2));
  await expect(store.put("backups/b/large", large)).rejects.toMatchObject(full);
  await expect(store.put("backups/b/large", large, { ifAbsent: true })).rejects.toMatchObject(full);
  await expect(store.put("backups/a/small", large)).rejects.toMatchObject(full);
  expect(await keysOf(store, "")).toEqual(["backups/a/small"]);
  expect((await read(store, "backups/a/small")).equals(Buffer.alloc(MIB / 2, 1))).toBe(true);
  expect(await readdir(disk.join("backups"))).toEqual(["a"]);
  expect(await readdir(disk.join(".incoming"))).toEqual([]);
  // The space came back.
  await store.put("backups/b/fits", body(Buffer.alloc(MIB, 3)));
});

test("a file of the spool of the same disk needs no further space", async () => {
  await using disk = await smallDisk(2 * MIB);
  await using spool = localSpool(disk.join(".spool"));
  const file = await spool.create("data-00001.tar.zst");
  await file.append(Buffer.alloc(1.5 * MIB, 7));
  const spooled = await file.finish();
  const store = fileStore(disk.path);
  await store.put("backups/a/data-00001.tar.zst", spooled.body);
  await spooled.release();
  expect((await read(store, "backups/a/data-00001.tar.zst")).length).toBe(1.5 * MIB);
});

test("a spool on a full disk is TARGET_FULL at the append, and goes on failing", async () => {
  await using disk = await smallDisk(MIB);
  {
    await using spool = localSpool(disk.join(".spool"));
    const file = await spool.create("data");
    const full = { code: "TARGET_FULL", hint: expect.stringContaining("Free some space") };
    await file.append(Buffer.alloc(MIB / 2, 1));
    const appends = [file.append(Buffer.alloc(MIB, 2)), file.append(Buffer.of(3))];
    for (const outcome of await Promise.allSettled(appends)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: full });
    }
    await expect(file.finish()).rejects.toMatchObject(full);
  }
  expect(await readdir(disk.path)).toEqual([]);
});

test("a read-only file system is TARGET_REFUSED", async () => {
  await using disk = await smallDisk(MIB);
  const store = fileStore(disk.path);
  await store.put("a/b", body("x"));
  await run("mount", ["-o", "remount,ro", disk.path]);
  const refused = { code: "TARGET_REFUSED", hint: expect.stringContaining("read-only") };
  await expect(store.put("a/c", body("y"))).rejects.toMatchObject(refused);
  await expect(store.delete("a/b")).rejects.toMatchObject(refused);
  await using spool = localSpool(disk.join(".spool"));
  await expect(spool.create("data")).rejects.toMatchObject(refused);
  expect((await read(store, "a/b")).toString()).toBe("x");
});

test("capacity is that of the disk", async () => {
  await using disk = await smallDisk(8 * MIB);
  const capacity = await fileStore(disk.path).capacity();
  expect(capacity).toMatchObject({ totalBytes: 8 * MIB });
});
