import { BackupError } from "../../domain/errors.ts";
import { fingerprintsOf, sha256Hex } from "./sha256.ts";
import { paddedBytes, tarHeader } from "./tar-header.ts";
import { ZstdCompressor, decompressFrame } from "./zstd.ts";
import type { PlainSegment, SealedSegment, SegmentCodec } from "../../ports/segment-codec.ts";

/** Seals and opens on the calling thread. `level`: of zstd. */
export function inlineCodec({ level }: { readonly level: number }): SegmentCodec {
  const compressor = new ZstdCompressor(level);

  async function seal(segment: PlainSegment, fingerprints: Uint8Array): Promise<SealedSegment> {
    const { entryName, modifiedAt, padded, plainBytes } = segment;
    if (padded.length !== paddedBytes(plainBytes)) {
      throw new BackupError("INTERNAL", `entry ${entryName} is not padded as tar needs it`);
    }
    const headerFrames = compressor.compress(await tarHeader(entryName, plainBytes, modifiedAt));
    const frames = compressor.compress(padded);
    return { headerFrames, frames, sha256: sha256Hex(frames), fingerprints };
  }

  return {
    async sealRecords(segment) {
      return seal(segment, fingerprintsOf(segment.padded.subarray(0, segment.plainBytes)));
    },
    async sealEntry(segment) {
      return seal(segment, new Uint8Array(0));
    },
    async open(frames, { sha256, plainBytes }) {
      if (sha256Hex(frames) !== sha256) {
        throw new BackupError("ARCHIVE_DAMAGED", "a stored frame does not have the checksum expected of it");
      }
      const padded = decompressFrame(frames, paddedBytes(plainBytes));
      if (padded.subarray(plainBytes).some((byte) => byte !== 0)) {
        throw new BackupError("ARCHIVE_DAMAGED", "a stored entry is longer than expected");
      }
      return padded.subarray(0, plainBytes);
    },
    async [Symbol.asyncDispose]() {},
  };
}
