import { expect, test } from "vitest";
import { BackupError } from "../../src/domain/errors.ts";
import type { ObjectBody, Store } from "../../src/ports/store.ts";

export type OpenStore = Store & AsyncDisposable;

export function body(bytes: Uint8Array | string, partBytes = 70_000): ObjectBody {
  const whole = Buffer.from(bytes);
  return {
    bytes: whole.length,
    open: async function* parts() {
      for (let at = 0; at < whole.length; at += partBytes) yield whole.subarray(at, at + partBytes);
    },
  };
}

export async function read(
  store: Pick<Store, "get">,
  key: string,
  range?: { offset: number; length: number },
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of store.get(key, range === undefined ? {} : { range })) parts.push(part);
  return Buffer.concat(parts);
}

/** By both ways of listing, which must not differ. */
export async function keysOf(store: Pick<Store, "list" | "keys">, prefix: string): Promise<string[]> {
  const listed: string[] = [];
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) listed.push(key);
  for await (const key of store.keys(prefix)) keys.push(key);
  expect(keys).toEqual(listed);
  return keys;
}

/** What every store must do, whatever it keeps things in. `open` gives an empty one. */
export function storeContract(name: string, open: () => Promise<OpenStore>): void {
  const some = (bytes: number): Buffer =>
    Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 31) % 251));

  test(`${name}: what was put is what is got, of any length`, async () => {
    await using store = await open();
    for (const bytes of [0, 1, 65_536, 3_000_001]) {
      const content = some(bytes);
      await store.put(`sizes/${bytes}`, body(content));
      expect((await read(store, `sizes/${bytes}`)).equals(content)).toBe(true);
    }
  });

  test(`${name}: a put replaces what was there`, async () => {
    await using store = await open();
    await store.put("a/b", body("first and longer"));
    await store.put("a/b", body("second"));
    expect((await read(store, "a/b")).toString()).toBe("second");
  });

  test(`${name}: ifAbsent never replaces`, async () => {
    await using store = await open();
    await store.put("a/b", body("first"), { ifAbsent: true });
    await expect(store.put("a/b", body("second"), { ifAbsent: true })).rejects.toMatchObject({
      code: "OBJECT_EXISTS",
    });
    expect((await read(store, "a/b")).toString()).toBe("first");
    await store.delete("a/b");
    await store.put("a/b", body("third"), { ifAbsent: true });
    expect((await read(store, "a/b")).toString()).toBe("third");
  });

  test(`${name}: of many that put one key at once with ifAbsent, one does`, async () => {
    await using store = await open();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, async (_, i) => store.put("a/claim", body(`run ${i}`), { ifAbsent: true })),
    );
    const winners = outcomes.flatMap(({ status }, i) => (status === "fulfilled" ? [i] : []));
    expect(winners).toHaveLength(1);
    expect((await read(store, "a/claim")).toString()).toBe(`run ${winners[0]}`);
    const losers = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    expect(losers).toEqual(
      Array.from({ length: 7 }, () => expect.objectContaining({ code: "OBJECT_EXISTS" })),
    );
  });

  test(`${name}: ranges`, async () => {
    await using store = await open();
    const content = some(2_500_000);
    await store.put("volume", body(content));
    const ranges: [number, number][] = [
      [0, 1],
      [0, content.length],
      [1_048_570, 20],
      [2_499_999, 1],
      [17, 1_300_000],
      [5, 0],
    ];
    for (const [offset, length] of ranges) {
      const part = await read(store, "volume", { offset, length });
      expect(part.equals(content.subarray(offset, offset + length))).toBe(true);
    }
  });

  test(`${name}: a range past the end is damage, not less`, async () => {
    await using store = await open();
    await store.put("volume", body("0123456789"));
    for (const range of [
      { offset: 9, length: 2 },
      { offset: 20, length: 1 },
      { offset: 0, length: 11 },
    ]) {
      await expect(read(store, "volume", range)).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" });
    }
  });

  test(`${name}: what is not there`, async () => {
    await using store = await open();
    await store.put("backups/a/data", body("x"));
    for (const key of ["backups/b/data", "backups/a", "backups/a/data/more", "backups/a/dat"]) {
      await expect(read(store, key)).rejects.toMatchObject({ code: "OBJECT_MISSING" });
      await store.delete(key);
    }
    expect(await keysOf(store, "")).toEqual(["backups/a/data"]);
    expect(await keysOf(store, "nothing/")).toEqual([]);
  });

  test(`${name}: lists by prefix, ascending by code unit, with sizes`, async () => {
    await using store = await open();
    const keys = ["a", "b/c/d", "b/c.d", "b/c-d", "b/c0", "b/C", "bc", "b/c/a/x", "c/~", "c/%2F"];
    for (const key of keys) await store.put(key, body(key));
    const sorted = keys.toSorted((x, y) => (x < y ? -1 : 1));
    expect(await keysOf(store, "")).toEqual(sorted);
    expect(await keysOf(store, "b/")).toEqual(sorted.filter((key) => key.startsWith("b/")));
    expect(await keysOf(store, "b/c")).toEqual(sorted.filter((key) => key.startsWith("b/c")));
    expect(await keysOf(store, "b/c/")).toEqual(["b/c/a/x", "b/c/d"]);
    for await (const { key, bytes, modifiedAt } of store.list("")) {
      expect(bytes).toBe(Buffer.byteLength(key));
      expect(Math.abs(Date.now() - modifiedAt.getTime())).toBeLessThan(60_000);
    }
  });

  test(`${name}: a deleted object is gone, its neighbours are not`, async () => {
    await using store = await open();
    await store.put("a/b/c", body("1"));
    await store.put("a/b/d", body("2"));
    await store.delete("a/b/c");
    expect(await keysOf(store, "")).toEqual(["a/b/d"]);
    await store.delete("a/b/d");
    expect(await keysOf(store, "")).toEqual([]);
    await store.put("a/b/c", body("3"));
    expect(await keysOf(store, "")).toEqual(["a/b/c"]);
  });

  test(`${name}: a body that fails leaves nothing`, async () => {
    await using store = await open();
    const broken: ObjectBody = {
      bytes: 200_000,
      open: async function* parts() {
        yield some(100_000);
        throw new BackupError("ARCHIVE_DAMAGED", "the body is broken");
      },
    };
    await expect(store.put("a/b", broken)).rejects.toThrow("the body is broken");
    await expect(store.put("a/c", broken, { ifAbsent: true })).rejects.toThrow("the body is broken");
    expect(await keysOf(store, "")).toEqual([]);
    await store.put("a/b", body("whole"));
    await expect(store.put("a/b", broken)).rejects.toThrow("the body is broken");
    expect((await read(store, "a/b")).toString()).toBe("whole");
  });

  test(`${name}: a body of another length than it says is refused`, async () => {
    await using store = await open();
    for (const bytes of [4, 6]) {
      const liar = { ...body("12345"), bytes };
      await expect(store.put("a/b", liar)).rejects.toMatchObject({ code: "TARGET_FAILED" });
    }
    expect(await keysOf(store, "")).toEqual([]);
  });

  test(`${name}: an aborted call rejects with the signal's reason and leaves nothing`, async () => {
    await using store = await open();
    await store.put("a/b", body(some(3_000_000)));
    const reason = new BackupError("INTERRUPTED", "interrupted by a test");
    const aborted = AbortSignal.abort(reason);
    await expect(store.put("a/c", body("x"), { signal: aborted })).rejects.toBe(reason);
    await expect(store.delete("a/b", { signal: aborted })).rejects.toBe(reason);
    await expect(store.capacity({ signal: aborted })).rejects.toBe(reason);
    await expect(store.get("a/b", { signal: aborted })[Symbol.asyncIterator]().next()).rejects.toBe(reason);
    await expect(store.list("", { signal: aborted })[Symbol.asyncIterator]().next()).rejects.toBe(reason);
    await expect(store.keys("", { signal: aborted })[Symbol.asyncIterator]().next()).rejects.toBe(reason);

    const controller = new AbortController();
    const slow: ObjectBody = {
      bytes: 200_000,
      open: async function* parts() {
        yield some(100_000);
        controller.abort(reason);
        yield some(100_000);
      },
    };
    await expect(store.put("a/c", slow, { signal: controller.signal })).rejects.toBe(reason);
    expect(await keysOf(store, "")).toEqual(["a/b"]);
  });

  test(`${name}: capacity is known or null`, async () => {
    await using store = await open();
    const capacity = await store.capacity();
    if (capacity === null) return;
    expect(capacity.totalBytes).toBeGreaterThan(0);
    expect(capacity.freeBytes).toBeGreaterThanOrEqual(0);
    expect(capacity.freeBytes).toBeLessThanOrEqual(capacity.totalBytes);
  });
}
