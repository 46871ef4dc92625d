import { chmod, chown, mkdir, readdir, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RUNS } from "../../src/adapters/process/runs.ts";
import { sftpStore } from "../../src/adapters/store/sftp-store.ts";
import { parseSftpLocation } from "../../src/domain/sftp-location.ts";
import type { Store } from "../../src/ports/store.ts";
import { body, keysOf, read } from "../contract/store-suite.ts";
import { NO_SSHD, startSftpServer, type SftpServer } from "../lab/sftp-server.ts";
import { remount, smallDisk } from "../lab/tmpfs.ts";

const MIB = 1024 * 1024;

describe.skipIf(NO_SSHD !== null)(`disks${NO_SSHD === null ? "" : ` (${NO_SSHD})`}`, () => {
  let server: SftpServer;
  let base: string;
  beforeAll(async () => {
    server = await startSftpServer();
  });
  afterAll(async () => server[Symbol.asyncDispose]());
  beforeEach(async ({ task }) => {
    base = server.join(task.id.replaceAll(/\W/g, "_"));
    await mkdir(base);
  });

  const storeAt = (directory: string, user?: string): Store =>
    sftpStore(parseSftpLocation(server.target(directory, user === undefined ? {} : { user })));

  test("a full disk is TARGET_FULL, leaves nothing, and what was there stays", async () => {
    await using disk = await smallDisk(8 * MIB);
    const store = storeAt(disk.path);
    await store.put("backups/a/small", body(Buffer.alloc(MIB / 2, 1)));
    const full = {
      code: "TARGET_FULL",
      message: expect.stringContaining("no space is left there"),
      hint: expect.stringContaining("Free some space"),
    };
    const large = body(Buffer.alloc(12 * MIB, 2));
    await expect(store.put("backups/b/large", large)).rejects.toMatchObject(full);
    await expect(store.put("backups/b/large", large, { ifAbsent: true })).rejects.toMatchObject(full);
    await expect(store.put("backups/a/small", large)).rejects.toMatchObject(full);
    expect(await keysOf(store, "")).toEqual(["backups/a/small"]);
    expect((await read(store, "backups/a/small")).equals(Buffer.alloc(MIB / 2, 1))).toBe(true);
    expect(await readdir(disk.join("backups"))).toEqual(["a"]);
    expect(await readdir(disk.join(".incoming"))).toEqual([]);
    // The space came back.
    await store.put("backups/b/fits", body(Buffer.alloc(6 * MIB, 3)));
    expect(await store.capacity()).toMatchObject({ totalBytes: 8 * MIB });
  });

  test("a read-only file system is TARGET_REFUSED", async () => {
    await using disk = await smallDisk(8 * MIB);
    const store = storeAt(disk.path);
    await store.put("a/b", body("x"));
    await remount(disk, "ro");
    const refused = { code: "TARGET_REFUSED", message: expect.stringContaining("read-only") };
    await expect(store.put("a/c", body("y"))).rejects.toMatchObject(refused);
    await expect(store.delete("a/b")).rejects.toMatchObject(refused);
    await expect(storeAt(disk.path).put("a/c", body("y"))).rejects.toMatchObject(refused);
    expect((await read(store, "a/b")).toString()).toBe("x");
    await remount(disk, "rw");
  });

  test("a directory that is not there, or is none", async () => {
    await writeFile(`${base}/file`, "");
    for (const [where, why] of [
      ["nowhere", "does not exist"],
      ["nowhere/below", "does not exist"],
      ["file", "is not a directory"],
      ["file/below", "does not exist"],
    ] as const) {
      const store = storeAt(`${base}/${where}`);
      const missing = { code: "TARGET_MISSING", message: expect.stringContaining(`${where} ${why}`) };
      await expect(store.put("a", body("x"))).rejects.toMatchObject(missing);
      await expect(read(store, "a")).rejects.toMatchObject(missing);
      await expect(keysOf(store, "")).rejects.toMatchObject(missing);
      await expect(store.delete("a")).rejects.toMatchObject(missing);
      await expect(store.capacity()).rejects.toMatchObject(missing);
    }
    expect(await readdir(base)).toEqual(["file"]);
  });

  test.skipIf(userInfo().uid !== 0)(
    "without permission it is TARGET_REFUSED (as root: there must be others)",
    async () => {
      // The way there is for everybody, the directory for no one else.
      await chmod(server.join("."), 0o755);
      const stranger = "nobody";
      const [mine, theirs] = [storeAt(base), storeAt(base, stranger)];
      await mine.put("a/b", body("x"));
      const refused = {
        code: "TARGET_REFUSED",
        message: expect.stringContaining("permission denied"),
        hint: expect.stringContaining("the right to read and write"),
      };
      await chmod(base, 0o755);
      await expect(theirs.put("a/c", body("y"))).rejects.toMatchObject(refused);
      await expect(theirs.put("c", body("y"), { ifAbsent: true })).rejects.toMatchObject(refused);
      await expect(theirs.delete("a/b")).rejects.toMatchObject(refused);
      await expect(read(theirs, "a/b")).rejects.toMatchObject(refused);
      await expect(keysOf(theirs, "")).rejects.toMatchObject(refused);
      expect(await keysOf(mine, "")).toEqual(["a/b"]);
      await chown(base, 65_534, 65_534);
      await chown(`${base}/.incoming`, 65_534, 65_534);
      await theirs.put("c", body("theirs"));
      expect((await read(theirs, "c")).toString()).toBe("theirs");
    },
  );

  test("files are for their owner alone", async () => {
    await storeAt(base).put("a/b/c", body("x"));
    const modes = await Promise.all(
      ["a", "a/b", "a/b/c", ".incoming"].map(async (file) => (await stat(`${base}/${file}`)).mode % 0o1000),
    );
    expect(modes).toEqual([0o700, 0o700, 0o600, 0o700]);
  });

  test("what dead processes left is removed, what may be of living ones stays", async () => {
    const { machine, pid } = RUNS.current;
    const incoming = `${base}/.incoming`;
    await mkdir(incoming);
    const longAgo = new Date(Date.now() - 25 * 60 * 60 * 1000);
    const [deadHere, livingHere] = [
      `${machine}-999999999-0123abcd-ff`,
      `${machine}-${process.ppid}-0123abcd-ff`,
    ];
    const [oldElsewhere, newElsewhere] = [`0badcafe-${pid}-0123abcd-ff`, `0badcafe-${pid}-0123abcd-ee`];
    for (const name of [deadHere, livingHere, oldElsewhere, newElsewhere, "of somebody else"])
      await writeFile(`${incoming}/${name}`, "");
    for (const name of [livingHere, oldElsewhere, "of somebody else"])
      await utimes(`${incoming}/${name}`, longAgo, longAgo);
    await storeAt(base).put("a", body("x"));
    expect(await readdir(incoming)).toEqual([newElsewhere, livingHere, "of somebody else"].toSorted());
  });

  test("links and names with a dot are not listed", async () => {
    const store = storeAt(base);
    await store.put("a/b", body("x"));
    await symlink(`${base}/a`, `${base}/link`);
    await symlink(`${base}/a/b`, `${base}/a/link`);
    await writeFile(`${base}/a/.hidden`, "");
    expect(await keysOf(store, "")).toEqual(["a/b"]);
    await expect(read(store, "a")).rejects.toMatchObject({ code: "OBJECT_MISSING" });
  });

  test("of two machines that put one key at once with ifAbsent, one does", async () => {
    const stores = Array.from({ length: 4 }, () => storeAt(base));
    for (const key of ["claims/1", "claims/2", "claims/3"]) {
      const outcomes = await Promise.allSettled(
        stores.map(async (store, i) => store.put(key, body(`run ${i}`), { ifAbsent: true })),
      );
      const winners = outcomes.flatMap(({ status }, i) => (status === "fulfilled" ? [i] : []));
      expect(winners).toHaveLength(1);
      expect((await read(storeAt(base), key)).toString()).toBe(`run ${winners[0]}`);
    }
  });
});
