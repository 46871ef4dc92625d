import { randomBytes } from "node:crypto";
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectAttributesCommand,
  HeadObjectCommand,
  PutObjectLegalHoldCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { s3Store, type S3StoreOptions } from "../../src/adapters/store/s3-store.ts";
import { parseS3Location } from "../../src/domain/s3-location.ts";
import { BackupError } from "../../src/domain/errors.ts";
import type { ObjectBody, Store } from "../../src/ports/store.ts";
import { body, keysOf, read, storeContract } from "../contract/store-suite.ts";
import { s3FaultSuite } from "./s3-fault-suite.ts";
import { startS3Server, type S3Server, type S3User } from "../lab/s3-server.ts";

const HOUR = 3_600_000;

/** Of several parts, the last one small. */
const BIG = randomBytes(20_000_001);

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
  useKeysOf(server.user);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server[Symbol.asyncDispose]();
});

storeContract("S3 store at Ceph", async () => {
  const store = storeAt(await server.makeBucket(), "some/where");
  return { ...store, [Symbol.asyncDispose]: async () => {} };
});

s3FaultSuite(() => server);

test("an object of several parts: whole, ranges across their seams, replaced, gone", async () => {
  const bucket = await server.makeBucket();
  const store = storeAt(bucket);
  await store.put("a/volume", body("before"));
  await store.put("a/volume", body(BIG, 65_536));
  expect((await read(store, "a/volume")).equals(BIG)).toBe(true);
  for (const [offset, length] of [
    [8_388_600, 20],
    [0, 16_777_300],
    [20_000_000, 1],
  ] as const) {
    const part = await read(store, "a/volume", { offset, length });
    expect(part.equals(BIG.subarray(offset, offset + length))).toBe(true);
  }
  await expect(read(store, "a/volume", { offset: 20_000_000, length: 2 })).rejects.toMatchObject({
    code: "ARCHIVE_DAMAGED",
  });
  await store.delete("a/volume");
  expect(await server.keys(bucket)).toEqual([]);
});

test("the store has compared a checksum of what it was sent, and keeps it", async () => {
  const bucket = await server.makeBucket();
  const store = storeAt(bucket);
  await store.put("small", body("content"));
  await store.put("big", body(BIG));
  for (const Key of ["small", "big"]) {
    const head = new HeadObjectCommand({ Bucket: bucket, Key, ChecksumMode: "ENABLED" });
    expect((await server.client.send(head)).ChecksumCRC32, Key).toMatch(/^[\w+/=-]+$/);
  }
  const parts = new GetObjectAttributesCommand({
    Bucket: bucket,
    Key: "big",
    ObjectAttributes: ["ObjectParts"],
  });
  expect((await server.client.send(parts)).ObjectParts?.TotalPartsCount).toBe(3);
});

test("several parts with ifAbsent: of many at once one does, and nothing is left unfinished", async () => {
  const bucket = await server.makeBucket();
  const contents = Array.from({ length: 4 }, () => randomBytes(9_000_000));
  const outcomes = await Promise.allSettled(
    contents.map(async (content) => storeAt(bucket).put("volume", body(content), { ifAbsent: true })),
  );
  const winners = contents.filter((_, i) => outcomes[i]?.status === "fulfilled");
  expect(winners).toHaveLength(1);
  expect((await read(storeAt(bucket), "volume")).equals(winners[0] ?? Buffer.alloc(0))).toBe(true);
  const losers = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  expect(losers).toEqual(Array.from({ length: 3 }, () => expect.objectContaining({ code: "OBJECT_EXISTS" })));
  expect(await server.unfinished(bucket)).toBe(0);
});

test("a body of several parts that fails, lies or is aborted leaves nothing, not even an unfinished upload", async () => {
  const bucket = await server.makeBucket();
  const store = storeAt(bucket);
  const controller = new AbortController();
  const reason = new BackupError("INTERRUPTED", "interrupted by a test");
  const ending = (end: () => Promise<void>, bytes = BIG.length): ObjectBody => ({
    bytes,
    open: async function* parts() {
      yield BIG.subarray(0, 18_000_000);
      await end();
      yield BIG.subarray(18_000_000);
    },
  });
  const fail = async () => Promise.reject(new BackupError("ARCHIVE_DAMAGED", "the body is broken"));
  await expect(store.put("a", ending(fail))).rejects.toThrow("the body is broken");
  for (const bytes of [BIG.length - 1, BIG.length + 1]) {
    const lying = store.put(
      "a",
      ending(async () => {}, bytes),
    );
    await expect(lying).rejects.toMatchObject({ code: "TARGET_FAILED" });
  }
  const aborted = store.put(
    "a",
    ending(async () => controller.abort(reason)),
    { signal: controller.signal },
  );
  await expect(aborted).rejects.toBe(reason);
  expect(await server.keys(bucket)).toEqual([]);
  expect(await server.unfinished(bucket)).toBe(0);
});

test("uploads that nobody finishes are dropped, below the prefix and when they are old enough", async () => {
  const bucket = await server.makeBucket();
  for (const Key of ["mine/backups/a", "mine/backups/b", "other/a"]) {
    await server.client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
  }
  await storeAt(bucket, "mine").put("a", body("x"));
  expect(await server.unfinished(bucket)).toBe(3);
  await storeAt(bucket, "mine", { unfinishedMs: 0 }).put("a", body("x"));
  expect(await server.unfinished(bucket)).toBe(1);
  await storeAt(bucket, "", { unfinishedMs: 0 }).sweep?.();
  expect(await server.unfinished(bucket)).toBe(0);
});

test("keys below the prefix alone; a listing of more than one page", async () => {
  const bucket = await server.makeBucket();
  const [whole, mine, other] = [storeAt(bucket), storeAt(bucket, "a/mine"), storeAt(bucket, "a/mine2")];
  const keys = Array.from({ length: 1005 }, (_, i) => `k/${String(i).padStart(5, "0")}`);
  await mine.put(keys[0] ?? "", body("0"));
  await other.put("k/other", body("1"));
  for (let at = 1; at < keys.length; at += 50) {
    await Promise.all(keys.slice(at, at + 50).map(async (key) => mine.put(key, body(key))));
  }
  expect(await keysOf(mine, "")).toEqual(keys);
  expect(await keysOf(mine, "k/0100")).toEqual(keys.filter((key) => key.startsWith("k/0100")));
  expect(await keysOf(other, "")).toEqual(["k/other"]);
  expect(await keysOf(whole, "a/mine2/")).toEqual(["a/mine2/k/other"]);
});

test("locks: put with an object of one part or several, found, made longer, never shorter; the version stays", async () => {
  const bucket = await server.makeLockBucket();
  const store = storeAt(bucket, "p");
  const { locks } = store;
  if (locks === undefined) throw new Error("it cannot lock");
  await locks.check();
  const until = new Date(Math.ceil(Date.now() / 1000) * 1000 + HOUR);
  const lock = { mode: "governance", until } as const;
  for (const [key, bytes] of [
    ["small", Buffer.from("x")],
    ["big", BIG],
  ] as const) {
    await store.put(key, body(bytes), { lock });
    expect(await locks.of(key)).toEqual(lock);
    const longer = { ...lock, until: new Date(until.getTime() + HOUR) };
    await locks.extend(key, longer);
    expect(await locks.of(key)).toEqual(longer);
    for (const other of [lock, { ...longer, mode: "compliance" } as const])
      await expect(locks.extend(key, other)).rejects.toMatchObject({ code: "TARGET_REFUSED" });
    const Key = `p/${key}`;
    const { VersionId } = await server.client.send(new HeadObjectCommand({ Bucket: bucket, Key }));
    await store.delete(key);
    expect(await keysOf(store, key)).toEqual([]);
    const removal = new DeleteObjectCommand({ Bucket: bucket, Key, VersionId });
    await expect(server.client.send(removal)).rejects.toMatchObject({ name: "AccessDenied" });
    await store.put(key, body(Buffer.from("anew")), { ifAbsent: true });
    expect(await locks.of(key)).toBeNull();
  }
  const hold = { Bucket: bucket, Key: "p/small", LegalHold: { Status: "ON" } } as const;
  await server.client.send(new PutObjectLegalHoldCommand(hold));
  expect(await locks.of("small")).toEqual({ mode: "compliance", until: null });
  expect(await locks.of("not-there")).toBeNull();
});

test("a bucket without object lock, and one whose locks may not be seen", async () => {
  const bucket = await server.makeBucket();
  const { locks, ...store } = storeAt(bucket);
  await expect(locks?.check()).rejects.toMatchObject({
    code: "TARGET_REFUSED",
    message: expect.stringMatching(/^s3:.+ cannot lock objects$/),
  });
  await store.put("a", body("x"));
  expect(await locks?.of("a")).toBeNull();
  await expect(storeAt("no-such-bucket").locks?.check()).rejects.toMatchObject({ code: "TARGET_MISSING" });
  useKeysOf(await server.makeUser());
  const blind = storeAt(bucket).locks;
  for (const call of [async () => blind?.check(), async () => blind?.of("a")])
    await expect(call()).rejects.toMatchObject({ code: "TARGET_REFUSED" });
  useKeysOf(server.user);
});

test("a storage class, and encryption by the store with a key of its key service", async () => {
  const bucket = await server.makeBucket();
  const at = (more: string) =>
    s3Store(parseS3Location(`s3://${bucket}?endpoint=${server.endpoint}&pathStyle=true&${more}`));
  const kept = { StorageClass: "STANDARD_IA", ServerSideEncryption: "aws:kms", SSEKMSKeyId: "lab-key" };
  const store = at("storageClass=STANDARD_IA&sse=aws:kms&kmsKey=lab-key");
  for (const [Key, bytes] of [
    ["small", Buffer.from("x")],
    ["big", BIG],
  ] as const) {
    await store.put(Key, body(bytes), { ifAbsent: true });
    expect(await server.client.send(new HeadObjectCommand({ Bucket: bucket, Key }))).toMatchObject(kept);
    expect((await read(store, Key)).equals(bytes)).toBe(true);
  }
  const range = { offset: 8_388_600, length: 20 };
  expect((await read(store, "big", range)).equals(BIG.subarray(8_388_600, 8_388_620))).toBe(true);
  for (const unknown of ["storageClass=ONEZONE_IA", "sse=aws:kms&kmsKey=nobody"])
    await expect(at(unknown).put("a", body("x"))).rejects.toMatchObject({ code: "TARGET_FAILED" });
  expect(await server.keys(bucket)).toEqual(["big", "small"]);
});

test("what is refused, missing, full or out of reach says so, and nothing secret", async () => {
  const bucket = await server.makeBucket();
  const at = (text: string) => s3Store(parseS3Location(text));
  const { endpoint } = server;
  const options = `endpoint=${endpoint}&pathStyle=true`;
  const failures: [string, string, RegExp][] = [
    [`s3://no-such-bucket?${options}`, "TARGET_MISSING", /there is no such bucket/],
    [`s3://${bucket}?endpoint=http://127.0.0.1:1&pathStyle=true`, "TARGET_FAILED", /connection refused/],
    [
      `s3://${bucket}?endpoint=http://nowhere.invalid&pathStyle=true`,
      "TARGET_MISSING",
      /no host of that name/,
    ],
  ];
  for (const [where, code, why] of failures) {
    for (const call of callsOf(at(where))) {
      await expect(call()).rejects.toMatchObject({ code, message: expect.stringMatching(why) });
    }
  }
  const stranger = await server.makeUser();
  const who: [Record<string, string>, RegExp][] = [
    [stranger.env, /access denied/],
    [{ ...stranger.env, AWS_SECRET_ACCESS_KEY: "wrong" }, /the secret key is not that of the access key/],
    [{ ...stranger.env, AWS_ACCESS_KEY_ID: "NOBODY" }, /the access key is not known there/],
  ];
  for (const [env, why] of who) {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const store = at(`s3://${bucket}?${options}`);
    for (const call of [...callsOf(store), async () => read(store, "a")]) {
      await expect(call()).rejects.toMatchObject({
        code: "TARGET_REFUSED",
        message: expect.stringMatching(why),
      });
    }
  }
  useKeysOf(server.user);
});

test("a quota that is used up", async () => {
  const user = await server.makeUser();
  const bucket = await server.makeBucket(user);
  await server.limit(user, 1_000_000);
  useKeysOf(user);
  for (const bytes of [2_000_000, BIG.length]) {
    const put = storeAt(bucket).put("a", body(BIG.subarray(0, bytes)));
    await expect(put).rejects.toMatchObject({ code: "TARGET_FULL" });
  }
  expect(await keysOf(storeAt(bucket), "")).toEqual([]);
  useKeysOf(server.user);
});

function useKeysOf({ env }: S3User): void {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
}

function callsOf(store: Store): (() => Promise<unknown>)[] {
  return [
    async () => store.put("a", body("x")),
    async () => keysOf(store, ""),
    async () => store.delete("a"),
  ];
}

function storeAt(bucket: string, prefix = "", options: S3StoreOptions = {}) {
  const where = `s3://${bucket}/${prefix}?endpoint=${server.endpoint}&pathStyle=true`;
  return s3Store(parseS3Location(where), options);
}
