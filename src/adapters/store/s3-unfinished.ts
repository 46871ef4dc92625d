import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import type { S3Bucket } from "./s3-bucket.ts";

/**
 * Drops uploads below the prefix that were begun so long ago that nobody is at them any more: what killed runs leave takes room, and
 * no listing of objects shows it. Whether that is allowed does not matter to a backup: best effort.
 */
export async function dropUnfinished(
  { client, location }: S3Bucket,
  olderThanMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { bucket: Bucket, prefix: Prefix } = location;
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
        if (Initiated === undefined || Date.now() - Initiated.getTime() < olderThanMs) continue;
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
