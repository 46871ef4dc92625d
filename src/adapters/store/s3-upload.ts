import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
} from "@aws-sdk/client-s3";
import { BackupError } from "../../domain/errors.ts";
import type { ObjectLock } from "../../domain/object-lock.ts";
import type { Abortable } from "../../ports/abortable.ts";
import type { ObjectBody, PutOptions } from "../../ports/store.ts";
import { bodyParts } from "./body-parts.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import { LOCK_NAMES } from "./s3-locks.ts";
import { failureOf, isConflict, isObjectMissing, isPreconditionFailed } from "./s3-errors.ts";
import { dropUnheardOf } from "./s3-unfinished.ts";

const MiB = 1024 * 1024;
const PART_BYTES = 8 * MiB;
/** No store takes more. */
const MAX_PARTS = 10_000;
/** Parts of one object on their way at once: with the one being filled, all that is in memory of it. */
const PARTS_AT_ONCE = 4;

/** For clearing up behind what has failed. */
const DROP_MS = 15_000;

const CONFLICT_TRIES = 5;
const CONFLICT_WAIT_MS = 300;

/** Every put leaves its own here: whether a first try that seemed to fail has been taken after all can be asked. */
const MARK = "mqbackup-put";

/** Whether there is an object, whole. */
export async function isThere(bucket: S3Bucket, key: string, { signal }: Abortable): Promise<boolean> {
  try {
    await bucket.client.send(new HeadObjectCommand(placed({ bucket, key })), {
      ...(signal && { abortSignal: signal }),
    });
    return true;
  } catch (error) {
    if (isObjectMissing(error)) return false;
    throw error;
  }
}

export type PutOutcome = "put" | "exists";

/** Several requests, or one: nothing of the object is to be seen before the last. The store compares a checksum of each. */
export async function upload(
  bucket: S3Bucket,
  key: string,
  body: ObjectBody,
  { ifAbsent = false, lock, signal }: PutOptions,
): Promise<PutOutcome> {
  const mark = randomUUID();
  const put: Put = {
    bucket,
    key,
    mark,
    body,
    ifAbsent,
    lock,
    signal: signal ?? new AbortController().signal,
  };
  return body.bytes <= PART_BYTES ? putWhole(put) : putInParts(put);
}

interface Put {
  readonly bucket: S3Bucket;
  readonly key: string;
  readonly mark: string;
  readonly body: ObjectBody;
  readonly ifAbsent: boolean;
  readonly lock: ObjectLock | undefined;
  readonly signal: AbortSignal;
}

async function putWhole(put: Put): Promise<PutOutcome> {
  const { bucket, body, ifAbsent, signal } = put;
  const bytes: Uint8Array[] = [];
  for await (const part of bodyParts(body, PART_BYTES, signal)) bytes.push(part);
  const [Body = new Uint8Array()] = bytes;
  const command = { ...placed(put), ...kept(put), ...condition(ifAbsent), Body };
  return settled(put, async () => {
    await bucket.client.send(new PutObjectCommand(command), { abortSignal: signal });
  });
}

async function putInParts(put: Put): Promise<PutOutcome> {
  const { bucket, ifAbsent, signal } = put;
  const { client } = bucket;
  const UploadId = await begin(put);
  const uploadOf = { ...placed(put), UploadId };
  try {
    const Parts = await sendParts(put, UploadId);
    const command = { ...uploadOf, ...condition(ifAbsent), MultipartUpload: { Parts } };
    const outcome = await settled(put, async () => {
      await client.send(new CompleteMultipartUploadCommand(command), { abortSignal: signal });
    });
    if (outcome === "exists") await dropped();
    return outcome;
  } catch (error) {
    await dropped();
    throw error;
  }

  /** What cannot be dropped soon is dropped by a later run, as what a killed one leaves. */
  async function dropped(): Promise<void> {
    const command = new AbortMultipartUploadCommand(uploadOf);
    await client.send(command, { abortSignal: AbortSignal.timeout(DROP_MS) }).catch(() => undefined);
  }
}

/** The upload's id. Of several tries each may have begun one. */
async function begin(put: Put): Promise<string> {
  const { bucket, key, signal } = put;
  const command = { ...placed(put), ...kept(put), ChecksumAlgorithm: "CRC32" as const };
  try {
    const begun = await bucket.client.send(new CreateMultipartUploadCommand(command), {
      abortSignal: signal,
    });
    const { UploadId, $metadata } = begun;
    if (UploadId === undefined)
      throw new BackupError("TARGET_FAILED", `the store begins no upload of ${key}`);
    if (($metadata.attempts ?? 1) > 1) await dropUnheardOf(bucket, key, UploadId, signal);
    return UploadId;
  } catch (error) {
    const { attempts, status } = failureOf(error);
    if (attempts > 1 || status === null)
      await dropUnheardOf(bucket, key, null, AbortSignal.timeout(DROP_MS)).catch(() => undefined);
    throw error;
  }
}

/** Settles when no part is on its way any more. */
async function sendParts(put: Put, UploadId: string): Promise<CompletedPart[]> {
  const { bucket, body } = put;
  const failing = new AbortController();
  const signal = AbortSignal.any([put.signal, failing.signal]);
  const partBytes = Math.max(PART_BYTES, Math.ceil(body.bytes / MAX_PARTS / MiB) * MiB);
  const parts = bodyParts(body, partBytes, signal);
  const sent: CompletedPart[] = [];
  let begun = 0;
  const sender = async (): Promise<void> => {
    for (let next = await parts.next(); next.done !== true; next = await parts.next()) {
      const PartNumber = (begun += 1);
      const command = {
        ...placed(put),
        UploadId,
        PartNumber,
        Body: next.value,
        ChecksumAlgorithm: "CRC32" as const,
      };
      const { ETag, ChecksumCRC32 } = await bucket.client.send(new UploadPartCommand(command), {
        abortSignal: signal,
      });
      sent[PartNumber - 1] = { PartNumber, ETag, ChecksumCRC32 };
    }
  };
  const senders = Array.from({ length: PARTS_AT_ONCE }, async () => {
    try {
      await sender();
    } catch (error) {
      failing.abort(error);
    }
  });
  await Promise.all(senders);
  await parts.return(undefined);
  if (failing.signal.aborted) throw failing.signal.reason;
  return sent;
}

/**
 * Of a request that makes the object visible. A try that seemed to fail may have done so: then the next finds the object, or its upload
 * gone. Two at once for one key may both be told to come again.
 */
async function settled(put: Put, request: () => Promise<void>): Promise<PutOutcome> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await request();
      return "put";
    } catch (error) {
      put.signal.throwIfAborted();
      const { name, attempts } = failureOf(error);
      const maybeOurs = attempts > 1 || attempt > 1 || name === "NoSuchUpload";
      if (maybeOurs && (await isOurs(put))) return "put";
      if (put.ifAbsent && isPreconditionFailed(error)) return "exists";
      if (!isConflict(error)) throw error;
      if (attempt === CONFLICT_TRIES) {
        if (put.ifAbsent) return "exists";
        throw error;
      }
      await delay(CONFLICT_WAIT_MS * attempt * (0.5 + Math.random()), undefined, { signal: put.signal });
    }
  }
}

/** False also when it cannot be told: then the put has failed. */
async function isOurs(put: Put): Promise<boolean> {
  try {
    const command = new HeadObjectCommand(placed(put));
    const { Metadata } = await put.bucket.client.send(command, { abortSignal: put.signal });
    return Metadata?.[MARK] === put.mark;
  } catch (error) {
    put.signal.throwIfAborted();
    if (!isObjectMissing(error) && failureOf(error).status === null) throw error;
    return false;
  }
}

function placed({ bucket, key }: Pick<Put, "bucket" | "key">): {
  readonly Bucket: string;
  readonly Key: string;
} {
  return { Bucket: bucket.location.bucket, Key: `${bucket.location.prefix}${key}` };
}

/** How the store keeps it. */
function kept({ bucket: { location }, mark, lock }: Put) {
  const { storageClass, sse, kmsKey } = location;
  return {
    Metadata: { [MARK]: mark },
    ...(storageClass === null ? {} : { StorageClass: storageClass }),
    ...(sse === null ? {} : { ServerSideEncryption: sse }),
    ...(kmsKey === null ? {} : { SSEKMSKeyId: kmsKey }),
    ...(lock && { ObjectLockMode: LOCK_NAMES[lock.mode], ObjectLockRetainUntilDate: lock.until }),
  };
}

function condition(ifAbsent: boolean): { readonly IfNoneMatch?: string } {
  return ifAbsent ? { IfNoneMatch: "*" } : {};
}
