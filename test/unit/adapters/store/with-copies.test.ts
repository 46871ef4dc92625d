import { beforeEach, describe, expect, test } from "vitest";
import { withCopies } from "../../../../src/adapters/store/with-copies.ts";
import { BackupError } from "../../../../src/domain/errors.ts";
import type { Fallback, Store } from "../../../../src/ports/store.ts";
import { bytesBody, readObject } from "../../../../src/repository/objects.ts";
import { failing } from "../../../fakes/failing.ts";
import { memoryStore, type MemoryStore } from "../../../fakes/memory-store.ts";

let one: MemoryStore;
let two: MemoryStore;
let told: Fallback[];

beforeEach(async () => {
  [one, two, told] = [memoryStore("/one"), memoryStore("/two"), []];
  for (const store of [one, two]) {
    await store.put("a/both", bytesBody(Buffer.from("both")));
    await store.put(`a/${store.location.slice(1)}`, bytesBody(Buffer.from(store.location)));
  }
});

function open(first: Store = one): Store {
  return withCopies([first, two], (fallback) => told.push(fallback));
}

async function keysOf(store: Store): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of store.keys("a/")) keys.push(key);
  return keys;
}

const GONE = new BackupError("TARGET_MISSING", "target /one does not exist");

test("one store stays what it is", () => {
  expect(withCopies([one], () => undefined)).toBe(one);
});

test("an object comes from the first that has it, and it is told once when that is not the first", async () => {
  const store = open();
  expect(String(await readObject(store, "a/both"))).toBe("both");
  expect(told).toEqual([]);
  for (let time = 0; time < 2; time += 1) expect(String(await readObject(store, "a/two"))).toBe("/two");
  expect(told).toMatchObject([{ key: "a/two", from: "/one", to: "/two", why: { code: "OBJECT_MISSING" } }]);
  await expect(readObject(store, "a/none")).rejects.toMatchObject({
    code: "OBJECT_MISSING",
    message: /at \/one: .*at \/two: /,
  });
});

test("listings are of all, each object once, in order", async () => {
  const store = open();
  expect(await keysOf(store)).toEqual(["a/both", "a/one", "a/two"]);
  const listed: string[] = [];
  for await (const { key } of store.list("a/")) listed.push(key);
  expect(listed).toEqual(["a/both", "a/one", "a/two"]);
});

describe("a store that is gone", () => {
  test("is told of once, whatever is read and listed", async () => {
    using broken = failing(one, [{ lasting: true, error: GONE }]);
    const store = open(broken);
    expect(await keysOf(store)).toEqual(["a/both", "a/two"]);
    expect(String(await readObject(store, "a/both"))).toBe("both");
    expect(told).toMatchObject([{ from: "/one", to: "/two", why: GONE }]);
    // It may have had it, but nobody can read it there.
    await expect(readObject(store, "a/one")).rejects.toMatchObject({ code: "OBJECT_MISSING" });
  });

  test("all of them: the first one's failure, naming each", async () => {
    using broken = failing(one, [{ lasting: true, error: GONE }]);
    using other = failing(two, [{ lasting: true, error: GONE }]);
    const store = withCopies([broken, other], () => undefined);
    await expect(keysOf(store)).rejects.toMatchObject({
      code: "TARGET_MISSING",
      message: /\/one: .*\/two: /,
    });
  });
});

test("what is no matter of one copy is not tried at the next", async () => {
  const reason = new BackupError("INTERRUPTED", "interrupted");
  using broken = failing(one, [{ error: reason }]);
  await expect(readObject(open(broken), "a/both")).rejects.toBe(reason);
});

test("what breaks off is not gone on with from another copy", async () => {
  const cut = new BackupError("TARGET_FAILED", "cut");
  using broken = failing(one, [{ when: "after", error: cut }]);
  await expect(readObject(open(broken), "a/both")).rejects.toBe(cut);
});
