import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { s3Store, type S3StoreOptions } from "../../src/adapters/store/s3-store.ts";
import { UploadRate } from "../../src/adapters/store/upload-rate.ts";
import { sleep } from "../../src/cli/wiring/run.ts";
import { parseS3Location } from "../../src/domain/s3-location.ts";
import { jumpingClock } from "../fakes/jumping-clock.ts";
import { startS3Service, type S3Fault, type S3Service } from "../fakes/s3-service.ts";
import { body, keysOf, read, storeContract, type OpenStore } from "./store-suite.ts";

// Against the real thing: test/integration/s3-store.test.ts. Here it fails to order.

beforeEach(() => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "KEY");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
});
afterEach(() => vi.unstubAllEnvs());

const BIG = randomBytes(20_000_001);
const SLOW: S3Fault = { answer: 503, code: "SlowDown" };
const BROKEN: S3Fault = { answer: 500, code: "InternalError" };

storeContract("S3 store at a service in memory", async () => {
  const service = await startS3Service();
  return storeAt(service);
});

storeContract("S3 store at an upload rate", async () => {
  const service = await startS3Service();
  return storeAt(service, { uploadRate: new UploadRate(200e6, { now: () => performance.now(), sleep }) });
});

test.each([
  [[SLOW]],
  [[BROKEN, SLOW]],
  [["lost-request"]],
  [["lost-answer"]],
  [["lost-answer", BROKEN]],
] as const)("a put that meets %j is done once all the same", async (faults) => {
  await using service = await startS3Service();
  const store = storeAt(service);
  for (const ifAbsent of [false, true]) {
    const key = `small/${ifAbsent}`;
    service.fail(new RegExp(`^PUT p/${key}$`), ...faults);
    await store.put(key, body("content"), { ifAbsent });
    expect((await read(store, key)).toString()).toBe("content");
  }
  expect(service.unused()).toBe(0);
});

test.each([
  ["the beginning", /^POST p\/big\?uploads$/],
  ["a part", /^PUT p\/big\?uploadId&partNumber$/],
  ["the end", /^POST p\/big\?uploadId$/],
])("%s of an upload in parts that fails for a moment", async (_what, name) => {
  await using service = await startS3Service();
  const store = storeAt(service);
  for (const fault of [SLOW, BROKEN, "lost-request", "lost-answer"] as const) {
    for (const ifAbsent of [false, true]) {
      await store.delete("big");
      service.fail(name, fault);
      await store.put("big", body(BIG, 1_000_000), { ifAbsent });
      expect((await read(store, "big")).equals(BIG)).toBe(true);
    }
  }
  expect(service.unused()).toBe(0);
});

test("a part that is refused for good: nothing of the object, no unfinished upload", async () => {
  await using service = await startS3Service();
  service.fail(/partNumber/, { answer: 403, code: "AccessDenied" });
  await expect(storeAt(service).put("big", body(BIG))).rejects.toMatchObject({ code: "TARGET_REFUSED" });
  expect([...service.objects.keys(), ...service.uploads.keys()]).toEqual([]);
});

test("an answer that breaks off is read on from there; one that brings nothing again and again fails", async () => {
  await using service = await startS3Service();
  const store = storeAt(service);
  await store.put("big", body(BIG));
  service.fail(/^GET p\/big$/, "half", "half", "half");
  expect((await read(store, "big")).equals(BIG)).toBe(true);
  service.fail(/^GET p\/big$/, "half", "half");
  const range = { offset: 1_000_000, length: 9_000_000 };
  expect((await read(store, "big", range)).equals(BIG.subarray(1_000_000, 10_000_000))).toBe(true);
  expect(service.unused()).toBe(0);
  await store.put("small", body("x"));
  service.fail(/^GET p\/small$/, ...Array.from({ length: 5 }, () => "half" as const));
  await expect(read(store, "small")).rejects.toMatchObject({ code: "TARGET_FAILED" });
  expect(service.unused()).toBe(0);
});

test("an object that is replaced while it is read is not mixed with what it was", async () => {
  await using service = await startS3Service();
  const store = storeAt(service);
  await store.put("big", body(BIG));
  service.fail(/^GET p\/big$/, "half");
  const parts = store.get("big")[Symbol.asyncIterator]();
  await parts.next();
  await store.put("big", body(randomBytes(BIG.length)));
  const rest = async (): Promise<void> => {
    while ((await parts.next()).done !== true);
  };
  await expect(rest()).rejects.toMatchObject({ code: "TARGET_FAILED" });
});

test("a store that asks to slow down for good", async () => {
  await using service = await startS3Service();
  service.fail(/^PUT p\/a$/, ...Array.from({ length: 8 }, () => SLOW));
  const put = storeAt(service).put("a", body("x"));
  await expect(put).rejects.toMatchObject({
    code: "TARGET_FAILED",
    message: expect.stringContaining("slow down"),
  });
  expect(service.unused()).toBe(0);
});

test("two at once for one key that are both told to come again", async () => {
  await using service = await startS3Service();
  const store = storeAt(service);
  const conflict: S3Fault = { answer: 409, code: "ConditionalRequestConflict" };
  service.fail(/^PUT p\/a$/, conflict);
  await store.put("a", body("x"), { ifAbsent: true });
  expect(service.unused()).toBe(0);
  service.fail(/^PUT p\/b$/, ...Array.from({ length: 5 }, () => conflict));
  await expect(store.put("b", body("x"), { ifAbsent: true })).rejects.toMatchObject({
    code: "OBJECT_EXISTS",
  });
});

test.each([
  ["reads over If-None-Match", ignoring],
  ["does not know it", ignorant],
] as const)("a store that %s is refused, before anything rests on it", async (_how, lacking) => {
  await using service = await startS3Service();
  lacking(service);
  const store = storeAt(service);
  await expect(store.put("a", body("x"), { ifAbsent: true })).rejects.toMatchObject({
    code: "TARGET_REFUSED",
    message: expect.stringContaining("does not honour If-None-Match"),
    hint: expect.stringContaining("conditionalPut=no"),
  });
  expect(await keysOf(store, "")).toEqual([]);
  expect(service.unused()).toBe(0);
});

test("also by whom nothing can be removed there", async () => {
  await using service = await startS3Service();
  service.ignoreConditions = true;
  service.fail(/^DELETE/, { answer: 403, code: "AccessDenied" });
  await expect(storeAt(service).put("a", body("x"), { ifAbsent: true })).rejects.toMatchObject({
    message: expect.stringContaining("does not honour If-None-Match"),
  });
  expect(service.unused()).toBe(0);
});

test("conditionalPut=no: it looks first, and sends no condition", async () => {
  await using service = await startS3Service();
  service.ignoreConditions = true;
  const store = storeAt(service, {}, "&conditionalPut=no");
  for (const [key, bytes] of [
    ["small", Buffer.from("x")],
    ["big", BIG],
  ] as const) {
    await store.put(key, body(bytes), { ifAbsent: true });
    const again = store.put(key, body("other"), { ifAbsent: true });
    await expect(again).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
    expect((await read(store, key)).equals(bytes)).toBe(true);
  }
  expect(service.requests.filter(({ headers }) => headers["if-none-match"] !== undefined)).toEqual([]);
  await store.put("small", body("anew"));
  expect((await read(store, "small")).toString()).toBe("anew");
});

test("conditionalPut=no: whether something is there and cannot be told is not taken for nothing", async () => {
  await using service = await startS3Service();
  service.fail(/^HEAD/, { answer: 403, code: "AccessDenied" });
  const put = storeAt(service, {}, "&conditionalPut=no").put("a", body("x"), { ifAbsent: true });
  await expect(put).rejects.toMatchObject({ code: "TARGET_REFUSED" });
  expect([...service.objects.keys()]).toEqual([]);
});

test("how it is to be kept is said with each object, of one part or several", async () => {
  await using service = await startS3Service();
  const options = "&storageClass=STANDARD_IA&sse=aws:kms&kmsKey=alias/backups";
  const until = new Date("2026-12-24T18:00:00Z");
  for (const lock of [undefined, { mode: "compliance", until } as const]) {
    service.requests.length = 0;
    const store = storeAt(service, {}, options);
    await store.put("small", body("x"), lock && { lock });
    await store.put("big", body(BIG), lock && { lock });
    const begun = service.requests.filter(({ name }) => /^(PUT p\/small|POST p\/big\?uploads)$/.test(name));
    expect(begun).toHaveLength(2);
    for (const { headers } of begun) {
      expect(headers).toMatchObject({
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "alias/backups",
      });
      expect(headers["x-amz-object-lock-mode"]).toBe(lock && "COMPLIANCE");
      expect(headers["x-amz-object-lock-retain-until-date"]).toBe(lock && "2026-12-24T18:00:00Z");
    }
  }
});

test("encryption with keys of the store's own is asked for by name", async () => {
  await using service = await startS3Service();
  await storeAt(service, {}, "&sse=AES256").put("small", body("x"));
  const [put] = service.requests.filter(({ name }) => name === "PUT p/small");
  expect(put?.headers).toMatchObject({ "x-amz-server-side-encryption": "AES256" });
  expect(put?.headers).not.toHaveProperty("x-amz-server-side-encryption-aws-kms-key-id");
});

test("conditions are tried out once", async () => {
  await using service = await startS3Service();
  const store = storeAt(service);
  for (const key of ["a", "b", "c"]) await store.put(key, body("x"), { ifAbsent: true });
  expect(service.requests.filter(({ name }) => name.startsWith("PUT"))).toHaveLength(4);
});

test("no more than a few parts of a large object are in memory, whatever its size", async () => {
  await using service = await startS3Service();
  let [given, sent] = [0, 0];
  let most = 0;
  const part = Buffer.alloc(1_000_000, 7);
  service.requests.push = (...requests) => {
    sent += requests.filter(({ name }) => name.includes("partNumber")).length;
    return requests.length;
  };
  const large = {
    bytes: 150 * part.length,
    async *open() {
      for (let n = 0; n < 150; n += 1) {
        yield part;
        given += part.length;
        most = Math.max(most, given - sent * 8 * 1024 * 1024);
      }
    },
  };
  await storeAt(service).put("large", large);
  expect(most).toBeLessThanOrEqual(5 * 8 * 1024 * 1024);
});

test("an upload rate holds for all parts on their way together, and for what goes again", async () => {
  await using service = await startS3Service();
  const clock = jumpingClock();
  const store = storeAt(service, { uploadRate: new UploadRate(1e6, clock) });
  await store.put("big", body(BIG, 1_000_000));
  expect((await read(store, "big")).equals(BIG)).toBe(true);
  const seconds = clock.now() / 1000;
  expect(seconds).toBeGreaterThan(19.8);
  expect(seconds).toBeLessThan(20.1);
  service.fail(/partNumber/, SLOW);
  await store.put("again", body(BIG, 1_000_000));
  expect((await read(store, "again")).equals(BIG)).toBe(true);
  expect(service.unused()).toBe(0);
  const more = clock.now() / 1000 - seconds;
  // One of two parts of 8 MiB, or the last one.
  expect(Math.min(Math.abs(more - 20 - 8.39), Math.abs(more - 20 - 3.22))).toBeLessThan(0.2);
});

function ignoring(service: S3Service): void {
  service.ignoreConditions = true;
}

function ignorant(service: S3Service): void {
  service.fail(/^PUT p\/a$/, { answer: 501, code: "NotImplemented" });
}

function storeAt(service: S3Service, options: S3StoreOptions = {}, more = ""): OpenStore {
  const where = parseS3Location(`s3://bucket/p?endpoint=${service.endpoint}&pathStyle=true${more}`);
  const store = s3Store(where, { patience: { waitMs: 10, silenceMs: 60_000 }, ...options });
  return { ...store, [Symbol.asyncDispose]: async () => service[Symbol.asyncDispose]() };
}
