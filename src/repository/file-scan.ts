import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import type { FrameRange } from "../domain/manifest.ts";
import type { Store } from "../ports/store.ts";
import type { Abortable } from "../ports/abortable.ts";

export interface ScannedFile {
  /** More than `limitBytes`: there is more, and it was not read. */
  readonly bytes: number;
  /** Of what was read. */
  readonly sha256: string;
  /** How many of the ranges were there whole; they are the first so many. */
  readonly ranges: number;
}

export interface FileScan<R extends FrameRange> {
  readonly store: Pick<Store, "get">;
  readonly key: string;
  readonly limitBytes: number;
  /** Ascending and apart. */
  readonly ranges: readonly R[];
  /** The bytes of a range are its own memory. The next part of the file is read when it resolves. */
  onRange(range: R, frames: Uint8Array): Promise<void>;
  onBytes?(bytes: number): void;
}

/** Reads a stored file once, from its beginning to its end: the sum of all of it, and its ranges on the way. Throws as `get`. */
export async function scanFile<R extends FrameRange>(
  scan: FileScan<R>,
  options: Abortable = {},
): Promise<ScannedFile> {
  const hash = createHash("sha256");
  let bytes = 0;
  let next = 0;
  let pieces: Uint8Array[] = [];
  for await (const part of scan.store.get(scan.key, options)) {
    hash.update(part);
    const start = bytes;
    bytes += part.length;
    for (;;) {
      const range = scan.ranges[next];
      if (range === undefined || range.offset >= bytes) break;
      const end = range.offset + range.length;
      pieces.push(part.subarray(Math.max(range.offset - start, 0), Math.min(end, bytes) - start));
      if (end > bytes) break;
      const frames = Buffer.concat(pieces);
      pieces = [];
      next += 1;
      await scan.onRange(range, frames);
    }
    scan.onBytes?.(part.length);
    if (bytes > scan.limitBytes) break;
  }
  return { bytes, sha256: hash.digest("hex"), ranges: next };
}
