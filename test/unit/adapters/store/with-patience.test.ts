import { expect, test } from "vitest";
import { withPatience } from "../../../../src/adapters/store/with-patience.ts";
import type { Abortable } from "../../../../src/ports/abortable.ts";
import type { Store } from "../../../../src/ports/store.ts";
import { bytesBody } from "../../../../src/repository/objects.ts";
import { memoryStore } from "../../../fakes/memory-store.ts";

const PATIENCE = { stallMs: 30, afterStallMs: 5, graceMs: 5 };
const NEVER = new Promise<never>(() => undefined);

async function* nothing(): AsyncGenerator<never> {
  yield await NEVER;
}

/** Answers nothing, and pays no heed to signals. */
const HANGING: Store = {
  location: "/mnt/hung",
  put: async () => NEVER,
  get: nothing,
  list: nothing,
  keys: nothing,
  delete: async () => NEVER,
  capacity: async () => NEVER,
};

const CALLS: readonly (readonly [string, (store: Store, options: Abortable) => Promise<unknown>])[] = [
  ["put", async (store, options) => store.put("a", bytesBody(Buffer.from("x")), options)],
  ["get", async (store, options) => firstOf(store.get("a", options))],
  ["list", async (store, options) => firstOf(store.list("", options))],
  ["keys", async (store, options) => firstOf(store.keys("", options))],
  ["delete", async (store, options) => store.delete("a", options)],
  ["capacity", async (store, options) => store.capacity(options)],
];

async function firstOf(items: AsyncIterable<unknown>): Promise<unknown> {
  for await (const item of items) return item;
  return null;
}

test.each(CALLS)("%s of a store that hangs fails, and says what it was at", async (_, call) => {
  await expect(call(withPatience(HANGING, PATIENCE), {})).rejects.toMatchObject({
    code: "TARGET_FAILED",
    message: expect.stringMatching(
      /^\/mnt\/hung has not moved for 1 s while (putting|reading|listing|deleting|asking)/,
    ),
    hint: expect.stringContaining("network file system"),
  });
});

test.each(CALLS)("%s of a store that hangs can be broken off", async (_, call) => {
  const abort = new AbortController();
  const store = withPatience(HANGING, { ...PATIENCE, stallMs: 60_000 });
  const calling = call(store, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(calling).rejects.toThrow("enough");
  await expect(call(store, { signal: abort.signal })).rejects.toThrow("enough");
});

test("a reader who stops early closes what he read", async () => {
  let closed = false;
  const store = withPatience(
    {
      ...memoryStore(),
      async *keys() {
        try {
          yield "a";
          yield "b";
        } finally {
          closed = true;
        }
      },
    },
    PATIENCE,
  );
  for await (const key of store.keys("")) if (key === "a") break;
  expect(closed).toBe(true);
});

test("what moves may take as long as it likes", async () => {
  const kept = memoryStore();
  const parts = Array.from({ length: 12 }, () => Buffer.from("part"));
  const body = {
    bytes: 48,
    async *open() {
      for (const part of parts) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        yield part;
      }
    },
  };
  await withPatience(kept, { ...PATIENCE, stallMs: 150 }).put("a", body);
  expect(kept.objects.get("a")?.bytes.length).toBe(48);
});
