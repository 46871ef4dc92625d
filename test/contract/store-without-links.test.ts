import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { fileStore } from "../../src/adapters/store/file-store.ts";
import { tempDirectory } from "../lab/temp.ts";
import { body, read, storeContract } from "./store-suite.ts";

// As FAT, and many a network and user-space file system, answer.
vi.mock("node:fs/promises", async (original) => ({
  ...(await original<typeof import("node:fs/promises")>()),
  link: async () =>
    Promise.reject(Object.assign(new Error("EPERM: operation not permitted, link"), { code: "EPERM" })),
}));

storeContract("file store without hard links", async () => {
  const directory = await tempDirectory();
  return {
    ...fileStore(directory.path),
    [Symbol.asyncDispose]: async () => directory[Symbol.asyncDispose](),
  };
});

test("a local file is copied", async () => {
  await using directory = await tempDirectory();
  await writeFile(directory.join("spooled"), "content");
  const store = fileStore(directory.path);
  await store.put("a", { ...body("content"), file: directory.join("spooled") }, { ifAbsent: true });
  expect((await read(store, "a")).toString()).toBe("content");
  expect(await readdir(directory.join(".incoming"))).toEqual([]);
});

test("a lock that a killed process left does not stay for ever", async () => {
  await using directory = await tempDirectory();
  const store = fileStore(directory.path);
  const seen: string[] = [];
  // Learn the lock's name while it is held.
  const watching = (async () => {
    while (seen.length === 0) {
      const names = await readdir(directory.join(".incoming")).catch(() => []);
      seen.push(...names.filter((name) => name.startsWith("lock-")));
    }
  })();
  while (seen.length === 0) {
    await store.put("a", body("x"), { ifAbsent: true });
    await store.delete("a");
  }
  await watching;
  const lock = directory.join(".incoming", seen[0] ?? "");
  await mkdir(lock);
  const before = new Date(Date.now() - 60_000);
  await utimes(lock, before, before);
  await store.put("a", body("y"), { ifAbsent: true });
  expect((await read(store, "a")).toString()).toBe("y");
  expect(await readdir(directory.join(".incoming"))).toEqual([]);
});
