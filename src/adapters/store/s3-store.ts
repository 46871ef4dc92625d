import {
  DeleteObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from "@aws-sdk/client-s3";
import { BackupError } from "../../domain/errors.ts";
import type { Abortable } from "../../ports/abortable.ts";
import type { GetOptions, ObjectBody, ObjectInfo, PutOptions, Store } from "../../ports/store.ts";
import { s3Bucket, type S3Patience } from "./s3-bucket.ts";
import { download } from "./s3-download.ts";
import { isNotImplemented, isObjectMissing, s3Error } from "./s3-errors.ts";
import { checkLocks, extendLock, lockOf } from "./s3-locks.ts";
import type { S3Location } from "../../domain/s3-location.ts";
import { dropUnfinished } from "./s3-unfinished.ts";
import { isThere, upload, type PutOutcome } from "./s3-upload.ts";
import type { UploadRate } from "./upload-rate.ts";

/** No upload takes so long, and whoever began it is gone. */
const UNFINISHED_MS = 24 * 60 * 60 * 1000;

/** Conditional puts are tried out with no more than this. */
const TRIAL_BYTES = 64 * 1024;

export interface S3StoreOptions {
  /** Unfinished uploads older than this are dropped before the first put. */
  readonly unfinishedMs?: number;
  /** Of all that is sent; absent: as fast as it goes. */
  readonly uploadRate?: UploadRate | null;
  readonly patience?: S3Patience;
}

/**
 * Objects of a bucket of S3, or of a store that speaks its language. What is transient is tried again by the SDK, with jitter.
 * The first put with `ifAbsent` is done twice: a store that lets the second through does not honour conditions, and two runs could
 * overwrite each other (TARGET_REFUSED), unless the location says that this is known.
 */
export function s3Store(location: S3Location, storeOptions: S3StoreOptions = {}): Store {
  const { unfinishedMs = UNFINISHED_MS, uploadRate = null, patience } = storeOptions;
  const bucket = s3Bucket(location, uploadRate, patience);
  const { client } = bucket;
  const where = location.text;
  let swept: Promise<void> | null = null;
  /** null: not tried yet. */
  let conditions: "honoured" | null = null;

  async function put(key: string, body: ObjectBody, options: PutOptions): Promise<void> {
    const { ifAbsent = false, signal } = options;
    signal?.throwIfAborted();
    await sweep(options);
    if (!ifAbsent) await upload(bucket, key, body, options);
    else if (location.conditionalPut) await putIfAbsent(key, body, options);
    else await lookAndPut(key, body, options);
  }

  /** Once: whoever puts does it first. */
  async function sweep({ signal }: Abortable): Promise<void> {
    await (swept ??= dropUnfinished(bucket, unfinishedMs, signal));
  }

  async function putIfAbsent(key: string, body: ObjectBody, options: PutOptions): Promise<void> {
    if ((await conditional(key, body, options)) === "exists") throw exists(key, where);
    if (conditions !== null || body.bytes > TRIAL_BYTES) return;
    if ((await conditional(key, body, options)) === "put") {
      await remove(key, {}).catch(() => undefined);
      throw unconditional(where);
    }
    conditions = "honoured";
  }

  async function conditional(key: string, body: ObjectBody, options: PutOptions): Promise<PutOutcome> {
    try {
      return await upload(bucket, key, body, options);
    } catch (error) {
      if (isNotImplemented(error)) throw unconditional(where);
      throw error;
    }
  }

  /** Where conditions are not to be had: two at once may both put. */
  async function lookAndPut(key: string, body: ObjectBody, options: PutOptions): Promise<void> {
    if (await isThere(bucket, key, options)) throw exists(key, where);
    await upload(bucket, key, body, { ...options, ifAbsent: false });
  }

  async function* get(key: string, options: GetOptions): AsyncGenerator<Uint8Array> {
    options.signal?.throwIfAborted();
    try {
      yield* download(bucket, key, options);
    } catch (error) {
      if (error instanceof BackupError || !isObjectMissing(error)) throw error;
      throw new BackupError("OBJECT_MISSING", `there is no ${key} at ${where}`);
    }
  }

  async function* list(prefix: string, { signal }: Abortable): AsyncGenerator<ObjectInfo> {
    signal?.throwIfAborted();
    let token: string | undefined;
    do {
      const command: ListObjectsV2Command = new ListObjectsV2Command({
        Bucket: location.bucket,
        Prefix: `${location.prefix}${prefix}`,
        ...(token !== undefined && { ContinuationToken: token }),
      });
      const page: ListObjectsV2CommandOutput = await client.send(command, {
        ...(signal && { abortSignal: signal }),
      });
      for (const { Key = "", Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
        const key = Key.slice(location.prefix.length);
        if (isKey(key)) yield { key, bytes: Size, modifiedAt: LastModified };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async function* keys(prefix: string, options: Abortable): AsyncGenerator<string> {
    for await (const { key } of list(prefix, options)) yield key;
  }

  async function remove(key: string, { signal }: Abortable): Promise<void> {
    signal?.throwIfAborted();
    const command = new DeleteObjectCommand({ Bucket: location.bucket, Key: `${location.prefix}${key}` });
    try {
      await client.send(command, { ...(signal && { abortSignal: signal }) });
    } catch (error) {
      if (!isObjectMissing(error)) throw error;
    }
  }

  async function capacity({ signal }: Abortable): Promise<null> {
    signal?.throwIfAborted();
    return Promise.resolve(null);
  }

  return {
    location: where,
    put: async (key, body, options = {}) =>
      mapped(put(sound(key), body, options), `write ${key} at ${where}`, options),
    get: (key, options = {}) => mappedEach(get(sound(key), options), `read ${key} at ${where}`, options),
    list: (prefix, options = {}) => mappedEach(list(prefix, options), `list ${prefix} at ${where}`, options),
    keys: (prefix, options = {}) => mappedEach(keys(prefix, options), `list ${prefix} at ${where}`, options),
    delete: async (key, options = {}) =>
      mapped(remove(sound(key), options), `delete ${key} at ${where}`, options),
    sweep: async (options = {}) => sweep(options),
    capacity: async (options = {}) => capacity(options),
    locks: {
      check: async (options = {}) =>
        mapped(checkLocks(bucket, options), `find out what can be locked at ${where}`, options),
      of: async (key, options = {}) =>
        mapped(
          lockOf(bucket, sound(key), options),
          `find out until when ${key} at ${where} is locked`,
          options,
        ),
      extend: async (key, lock, options = {}) =>
        mapped(extendLock(bucket, sound(key), lock, options), `lock ${key} at ${where}`, options),
    },
  };
}

async function mapped<T>(call: Promise<T>, doing: string, { signal }: Abortable): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw meaningOf(error, doing, signal);
  }
}

async function* mappedEach<T>(
  items: AsyncIterable<T>,
  doing: string,
  { signal }: Abortable,
): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw meaningOf(error, doing, signal);
  }
}

/** The SDK has an error of its own for what was aborted. */
function meaningOf(error: unknown, doing: string, signal: AbortSignal | undefined): unknown {
  return signal?.aborted === true ? signal.reason : s3Error(error, doing);
}

/** Others may keep things below the prefix; a "folder" made by hand is an empty object. */
function isKey(key: string): boolean {
  return key.split("/").every((part) => part !== "" && !part.startsWith(".") && !/[\0\\]/.test(part));
}

/** Throws INTERNAL for a key that `list` would not show: our own always are. */
function sound(key: string): string {
  if (isKey(key)) return key;
  throw new BackupError("INTERNAL", `${JSON.stringify(key)} is not a key`);
}

function unconditional(where: string): BackupError {
  return new BackupError("TARGET_REFUSED", `${where} does not honour If-None-Match`, {
    hint: "Two runs could overwrite each other there. Choose a store with conditional puts; or add conditionalPut=no to the target, and look in the README what that means.",
  });
}

function exists(key: string, where: string): BackupError {
  return new BackupError("OBJECT_EXISTS", `${key} is already at ${where}`);
}
