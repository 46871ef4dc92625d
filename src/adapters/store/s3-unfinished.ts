import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import type { S3Bucket } from "./s3-bucket.ts";

/**
 * Drops uploads below the prefix that were begun so long ago that nobody is at them any more: what killed runs leave takes room, and
 * no listing of objects shows it. Whether that is allowed does not matter to a backup: best effort.
 */
export async function dropUnfinished(
  bucket: S3Bucket,
  olderThanMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  await dropWhere(
    bucket,
    bucket.location.prefix,
    ({ begunAt }) => Date.now() - begunAt.getTime() >= olderThanMs,
    signal,
  );
}

/**
 * Drops the uploads of one object but for one: what was begun and never heard of, because the answer was lost. Nobody else puts this
 * key at the same time. Best effort.
 */
export async function dropUnheardOf(
  bucket: S3Bucket,
  key: string,
  known: string | null,
  signal: AbortSignal | undefined,
): Promise<void> {
  const full = `${bucket.location.prefix}${key}`;
  await dropWhere(bucket, full, (upload) => upload.key === full && upload.id !== known, signal);
}

interface Unfinished {
  readonly key: string;
  readonly id: string;
  readonly begunAt: Date;
}

async function dropWhere(
  { client, location }: S3Bucket,
  Prefix: string,
  doomed: (upload: Unfinished) => boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { bucket: Bucket } = location;
  const options = signal === undefined ? {} : { abortSignal: signal };
  try {
    let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | null = {};
    while (marker !== null) {
      const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
        Bucket,
        Prefix,
        ...marker,
      });
      const page = await client.send(command, options);
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (Key === undefined || UploadId === undefined || Initiated === undefined) continue;
        if (!doomed({ key: Key, id: UploadId, begunAt: Initiated })) continue;
        await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), options);
      }
      const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
      marker =
        IsTruncated === true && NextKeyMarker !== undefined
          ? { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }) }
          : null;
    }
  } catch {
    signal?.throwIfAborted();
  }
}
