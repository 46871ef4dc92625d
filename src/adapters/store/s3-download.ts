import { addAbortSignal, Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { GetObjectCommand, HeadObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { BackupError } from "../../domain/errors.ts";
import type { GetOptions } from "../../ports/store.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import { isRangeUnsatisfiable } from "./s3-errors.ts";

/** Answers that break off without having brought a byte. */
const FRUITLESS_TRIES = 5;

/** An answer that breaks off is asked for again from there on, of the same version of the object. Throws ARCHIVE_DAMAGED past the end. */
export async function* download(
  bucket: S3Bucket,
  key: string,
  { range, signal }: GetOptions,
): AsyncGenerator<Uint8Array> {
  if (range?.length === 0) {
    const size = await sizeOf(bucket, key, signal);
    if (range.offset > size) throw tooShort(key, range.offset, size);
    return;
  }
  const wanted: Wanted = { bucket, key, signal, end: range && range.offset + range.length, etag: undefined };
  let at = range?.offset ?? 0;
  for (let fruitless = 0; ;) {
    const answer = await ask(wanted, at);
    wanted.end ??= answer.size;
    wanted.etag ??= answer.etag;
    const { end } = wanted;
    if (end > answer.size) throw tooShort(key, end, answer.size);
    try {
      for await (const part of answer.bytes()) {
        at += part.length;
        fruitless = 0;
        yield part;
      }
      if (at === end) return;
      throw new BackupError("TARGET_FAILED", `the answer of ${key} ends at byte ${at} of ${end}`);
    } catch (error) {
      signal?.throwIfAborted();
      fruitless += 1;
      if (at > end || fruitless === FRUITLESS_TRIES) throw error;
      if (at === end) return;
    }
    const most = bucket.patience.waitMs * 2 ** fruitless;
    await delay(most * (0.5 + Math.random() / 2), undefined, signal ? { signal } : {});
  }
}

interface Wanted {
  readonly bucket: S3Bucket;
  readonly key: string;
  readonly signal: AbortSignal | undefined;
  /** Where the bytes wanted end; undefined: at the object's end, before that is known. */
  end: number | undefined;
  etag: string | undefined;
}

interface Answer {
  /** Of the whole object. */
  readonly size: number;
  readonly etag: string | undefined;
  bytes(): AsyncIterable<Uint8Array>;
}

async function ask({ bucket, key, signal, end, etag }: Wanted, at: number): Promise<Answer> {
  const whole = at === 0 && end === undefined;
  const command = new GetObjectCommand({
    ...placed(bucket, key),
    ...(whole ? {} : { Range: `bytes=${at}-${(end ?? 0) - 1}` }),
    ...(etag === undefined ? {} : { IfMatch: etag }),
  });
  let answer: GetObjectCommandOutput;
  try {
    answer = await bucket.client.send(command, { ...(signal && { abortSignal: signal }) });
  } catch (error) {
    if (!isRangeUnsatisfiable(error)) throw error;
    throw tooShort(key, end ?? at, await sizeOf(bucket, key, signal));
  }
  const { Body, ContentLength, ContentRange, ETag } = answer;
  const size = whole ? ContentLength : Number(/\/(\d+)$/.exec(ContentRange ?? "")?.[1] ?? Number.NaN);
  if (!(Body instanceof Readable) || size === undefined || Number.isNaN(size)) {
    throw new BackupError("TARGET_FAILED", `the store does not give ranges of ${key}`);
  }
  return { size, etag: ETag, bytes: () => (signal ? addAbortSignal(signal, Body) : Body) };
}

async function sizeOf(bucket: S3Bucket, key: string, signal: AbortSignal | undefined): Promise<number> {
  const command = new HeadObjectCommand(placed(bucket, key));
  const { ContentLength } = await bucket.client.send(command, { ...(signal && { abortSignal: signal }) });
  return ContentLength ?? 0;
}

function placed({ location }: S3Bucket, key: string): { readonly Bucket: string; readonly Key: string } {
  return { Bucket: location.bucket, Key: `${location.prefix}${key}` };
}

function tooShort(key: string, wanted: number, size: number): BackupError {
  return new BackupError("ARCHIVE_DAMAGED", `${key} ends at byte ${size}, byte ${wanted} was wanted`);
}
