import { constants } from "node:fs";
import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  symlink,
  writeFile,
  type FileHandle,
} from "node:fs/promises";
import path from "node:path";
import { expect, test, vi } from "vitest";
import { fileStore } from "../../../../src/adapters/store/file-store.ts";
import { tempDirectory } from "../../../lab/temp.ts";
import { body, keysOf, read } from "../../../contract/store-suite.ts";

async function modeOf(file: string): Promise<string> {
  return ((await lstat(file)).mode & 0o777).toString(8);
}

test("only the owner may enter and read what is kept", async () => {
  await using directory = await tempDirectory();
  await fileStore(directory.path).put("backups/a/data", body("x"));
  expect(await modeOf(directory.join("backups"))).toBe("700");
  expect(await modeOf(directory.join("backups/a"))).toBe("700");
  expect(await modeOf(directory.join("backups/a/data"))).toBe("600");
});

test("a missing directory is made only when asked, and is never an empty store", async () => {
  await using directory = await tempDirectory();
  const base = directory.join("not/mounted");
  const store = fileStore(base);
  const missing = { code: "TARGET_MISSING", message: `target ${base} does not exist` };
  await expect(store.put("a", body("x"))).rejects.toMatchObject(missing);
  await expect(read(store, "a")).rejects.toMatchObject(missing);
  await expect(keysOf(store, "")).rejects.toMatchObject(missing);
  await expect(store.delete("a")).rejects.toMatchObject(missing);
  await expect(store.capacity()).rejects.toMatchObject(missing);
  expect(await readdir(directory.path)).toEqual([]);

  const made = fileStore(base, { create: true });
  await expect(read(made, "a")).rejects.toMatchObject({ code: "OBJECT_MISSING" });
  expect(await keysOf(made, "")).toEqual([]);
  await made.delete("a");
  expect(await made.capacity()).toBeNull();
  expect(await readdir(directory.path)).toEqual([]);
  await made.put("a", body("x"));
  expect(await modeOf(base)).toBe("700");
  expect(await keysOf(store, "")).toEqual(["a"]);
});

test("a file where the directory should be is named", async () => {
  await using directory = await tempDirectory();
  await writeFile(directory.join("file"), "");
  const store = fileStore(directory.join("file"));
  await expect(store.put("a", body("x"))).rejects.toMatchObject({
    code: "TARGET_MISSING",
    message: `target ${directory.join("file")} is not a directory`,
  });
});

test("keys that could lead elsewhere are refused and touch nothing", async () => {
  await using directory = await tempDirectory();
  await mkdir(directory.join("base"));
  await writeFile(directory.join("secret"), "secret");
  const store = fileStore(directory.join("base"));
  const keys = [
    "../secret",
    "a/../../secret",
    "/etc/passwd",
    "",
    "a//b",
    "a/",
    "/a",
    ".",
    "a/./b",
    "a\0b",
    "a\\b",
    ".x",
  ];
  for (const key of keys) {
    const refused = { code: "INTERNAL" };
    await expect(store.put(key, body("x"))).rejects.toMatchObject(refused);
    await expect(store.put(key, body("x"), { ifAbsent: true })).rejects.toMatchObject(refused);
    await expect(read(store, key)).rejects.toMatchObject(refused);
    await expect(store.delete(key)).rejects.toMatchObject(refused);
  }
  expect(await keysOf(store, "../")).toEqual([]);
  expect(await readFile(directory.join("secret"), "utf8")).toBe("secret");
  expect(await readdir(directory.join("base"))).toEqual([]);
});

test("symbolic links inside are not followed, not listed, not written through", async () => {
  await using directory = await tempDirectory();
  const base = directory.join("base");
  await mkdir(directory.join("outside"));
  await mkdir(path.join(base, "backups"), { recursive: true });
  await writeFile(directory.join("outside/data"), "outside");
  await symlink(directory.join("outside"), path.join(base, "backups/linked"));
  await symlink(directory.join("outside/data"), path.join(base, "backups/file"));
  const store = fileStore(base);

  expect(await keysOf(store, "")).toEqual([]);
  const refused = { code: "TARGET_REFUSED" };
  await expect(read(store, "backups/linked/data")).rejects.toMatchObject(refused);
  await expect(read(store, "backups/file")).rejects.toMatchObject(refused);
  await expect(store.put("backups/linked/new", body("x"))).rejects.toMatchObject(refused);
  await expect(store.delete("backups/linked/data")).rejects.toMatchObject(refused);
  expect(await readdir(directory.join("outside"))).toEqual(["data"]);

  // The link itself may be replaced; what it leads to stays.
  await store.put("backups/file", body("inside"));
  expect(await readFile(directory.join("outside/data"), "utf8")).toBe("outside");
  expect((await read(store, "backups/file")).toString()).toBe("inside");
});

test("the target itself may be reached by a symbolic link", async () => {
  await using directory = await tempDirectory();
  await mkdir(directory.join("real"));
  await symlink(directory.join("real"), directory.join("link"));
  await fileStore(directory.join("link")).put("a", body("x"));
  expect(await readdir(directory.join("real"))).toContain("a");
});

test("foreign files that can be ours are listed, dotfiles are not", async () => {
  await using directory = await tempDirectory();
  const store = fileStore(directory.path);
  await mkdir(directory.join(".snapshot/backups"), { recursive: true });
  await writeFile(directory.join(".snapshot/backups/x"), "");
  await writeFile(directory.join(".DS_Store"), "");
  await writeFile(directory.join("README"), "");
  expect(await keysOf(store, "")).toEqual(["README"]);
});

test("a local file becomes the object itself, without copying", async () => {
  await using directory = await tempDirectory();
  const file = directory.join("spooled");
  await writeFile(file, "content", { mode: 0o600 });
  await mkdir(directory.join("target"));
  const store = fileStore(directory.join("target"));
  const never = { bytes: 7, file, open: () => expect.unreachable("the file is linked, not read") };
  for (const ifAbsent of [false, true]) {
    await store.put("a/data", never, { ifAbsent });
    expect((await lstat(directory.join("target/a/data"))).ino).toBe((await lstat(file)).ino);
    expect(await readdir(directory.join("target/.incoming"))).toEqual([]);
    const exists = { code: "OBJECT_EXISTS" };
    await expect(store.put("a/data", never, { ifAbsent: true })).rejects.toMatchObject(exists);
    await store.delete("a/data");
  }
  await expect(store.put("a/data", { ...never, bytes: 8 })).rejects.toMatchObject({ code: "TARGET_FAILED" });
  expect(await keysOf(store, "")).toEqual([]);
});

test("two targets on one file system get two copies", async () => {
  await using directory = await tempDirectory();
  const file = directory.join("spooled");
  await writeFile(file, "content", { mode: 0o600 });
  const targets = ["one", "two", "three"].map((name) => fileStore(directory.join(name), { create: true }));
  await Promise.all(targets.map(async (store) => store.put("data", { ...body("content"), file })));
  const [first] = targets;
  // Once more into the same place: what is there is the very file, and is replaced by a copy.
  await first?.put("data", { ...body("content"), file });
  const inodes = await Promise.all(
    ["one", "two", "three"].map(async (name) => lstat(directory.join(name, "data"))),
  );
  expect(new Set(inodes.map(({ ino }) => ino)).size).toBe(3);
  for (const store of targets) expect((await read(store, "data")).toString()).toBe("content");
});

test("a local file on another file system is copied", async () => {
  await using directory = await tempDirectory();
  const store = fileStore(directory.path);
  const file = `/dev/shm/mqbackup-test-${process.pid}`;
  await writeFile(file, "content");
  try {
    await expect(link(file, directory.join("probe"))).rejects.toMatchObject({ code: "EXDEV" });
    await store.put("a/one", { ...body("content"), file });
    await store.put("a/two", { ...body("content"), file }, { ifAbsent: true });
    expect((await read(store, "a/one")).toString()).toBe("content");
    expect(await modeOf(directory.join("a/one"))).toBe("600");
  } finally {
    await import("node:fs/promises").then(async ({ rm }) => rm(file));
  }
});

test("what a killed run was writing is removed by the next put; what lives is not", async () => {
  await using directory = await tempDirectory();
  const store = fileStore(directory.path);
  await store.put("a", body("x"));
  const [own] = await incomingName(directory.path, async () => store.put("b", body("y")));
  if (own === undefined) throw new Error("no temporary file was seen");
  const [machine = "", pid = "", run = ""] = own.split("-");
  const dead = [`${machine}-4194305-00000000-x`, `${machine}-${pid}-00000000-x`];
  const alive = [
    `${machine}-${process.ppid}-00000000-x`,
    `${machine}-${pid}-${run}-x`,
    "00000000-1-00000000-x",
    "other",
  ];
  for (const name of [...dead, ...alive]) await writeFile(directory.join(".incoming", name), "");
  await fileStore(directory.path).put("c", body("z"));
  expect((await readdir(directory.join(".incoming"))).toSorted()).toEqual(alive.toSorted());
});

test("empty folders do not outlive their last object", async () => {
  await using directory = await tempDirectory();
  const store = fileStore(directory.path);
  await store.put("backups/one/data", body("x"));
  await store.put("backups/two/data", body("x"));
  await store.delete("backups/one/data");
  expect(await readdir(directory.join("backups"))).toEqual(["two"]);
  await store.delete("backups/two/data");
  expect(await readdir(directory.path)).toEqual([".incoming"]);
});

test("puts and deletes in one folder at once do not disturb one another", async () => {
  await using directory = await tempDirectory();
  const store = fileStore(directory.path);
  await Promise.all(
    Array.from({ length: 6 }, async (_, i) => {
      for (let round = 0; round < 25; round += 1) {
        await store.put(`backups/shared/${i}`, body("x"), { ifAbsent: true });
        await store.delete(`backups/shared/${i}`);
      }
    }),
  );
  expect(await keysOf(store, "")).toEqual([]);
});

test("a put that resolved is on the disk: its bytes, its name, and the directories that lead to it", async () => {
  await using directory = await tempDirectory();
  const base = directory.join("base");
  await using probe = await open(directory.path, constants.O_RDONLY);
  const synced: string[] = [];
  const prototype = Object.getPrototypeOf(probe) as FileHandle;
  vi.spyOn(prototype, "sync").mockImplementation(async function record(this: FileHandle) {
    synced.push(path.relative(directory.path, await readlink(`/proc/self/fd/${this.fd}`)));
    return this.datasync();
  });
  const store = fileStore(base, { create: true });
  await store.put("backups/a/data", body("x"));
  const temporary = expect.stringMatching(/^base\/\.incoming\/./);
  expect(synced.splice(0)).toEqual(["", "base", temporary, "base", "base/backups", "base/backups/a"]);
  await store.put("backups/a/more", body("x"), { ifAbsent: true });
  expect(synced.splice(0)).toEqual([temporary, "base/backups/a"]);
  await writeFile(directory.join("spooled"), "x");
  await store.put("backups/a/linked", { ...body("x"), file: directory.join("spooled") });
  expect(synced.splice(0)).toEqual([temporary, "base/backups/a"]);
  await store.delete("backups/a/more");
  expect(synced.splice(0)).toEqual(["base/backups/a"]);
});

test("a put whose name cannot be made durable is undone", async () => {
  await using directory = await tempDirectory();
  await using probe = await open(directory.path, constants.O_RDONLY);
  const prototype = Object.getPrototypeOf(probe) as FileHandle;
  const store = fileStore(directory.path);
  await store.put("a/first", body("x"));
  vi.spyOn(prototype, "sync").mockImplementation(async function fail(this: FileHandle) {
    if ((await this.stat()).isDirectory())
      throw Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" });
    return this.datasync();
  });
  const failed = { code: "TARGET_FAILED", message: expect.stringContaining("input/output error (EIO)") };
  await expect(store.put("a/second", body("x"), { ifAbsent: true })).rejects.toMatchObject(failed);
  expect(await keysOf(store, "")).toEqual(["a/first"]);
});

test("no permission is TARGET_REFUSED with a hint", async () => {
  await using directory = await tempDirectory();
  const seteuid = process.seteuid?.bind(process);
  if (seteuid === undefined || process.getuid?.() !== 0)
    throw new Error("this test needs root, to become nobody");
  const base = directory.join("base");
  await mkdir(path.join(base, "closed"), { recursive: true });
  await writeFile(path.join(base, "closed/data"), "x");
  await chmod(directory.path, 0o755);
  await chmod(path.join(base, "closed"), 0o700);
  const store = fileStore(base);
  const refused = { code: "TARGET_REFUSED", hint: expect.stringContaining("right to read and write") };
  seteuid(65534);
  try {
    await expect(store.put("a", body("x"))).rejects.toMatchObject(refused);
    await expect(read(store, "closed/data")).rejects.toMatchObject(refused);
    await expect(keysOf(store, "")).rejects.toMatchObject(refused);
    await expect(store.delete("closed/data")).rejects.toMatchObject(refused);
  } finally {
    seteuid(0);
  }
});

/** Names seen in the folder of temporary files while `work` runs. */
async function incomingName(base: string, work: () => Promise<void>): Promise<readonly string[]> {
  let seen: readonly string[] = [];
  const slow = { ...body("y") };
  const store = fileStore(base);
  await work();
  await store.put("slow", {
    bytes: slow.bytes,
    open: async function* parts() {
      seen = await readdir(path.join(base, ".incoming"));
      yield* slow.open();
    },
  });
  return seen;
}
