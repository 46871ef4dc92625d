import { Buffer } from "node:buffer";
import { BackupError } from "../../domain/errors.ts";
import { fingerprintsOf, sha256Hex } from "./sha256.ts";
import { paddedBytes, tarHeader } from "./tar-header.ts";
import { ZstdCompressor, decompressFrame } from "./zstd.ts";
import type { PlainSegment, SealedSegment, SegmentCodec } from "../../ports/segment-codec.ts";

/** On the calling thread. `level`: of zstd. */
export function inlineCodec({ level }: { readonly level: number }): SegmentCodec {
  const seal = sealer(level);
  return {
    memory: (bytes) => Buffer.allocUnsafeSlow(bytes),
    sealRecords: async (segment) => ({ ...(await seal("sealRecords", segment, null)), release: nothing }),
    sealEntry: async (segment) => ({ ...(await seal("sealEntry", segment, null)), release: nothing }),
    fingerprint: async ({ padded, plainBytes }) => ({
      padded,
      fingerprints: fingerprintsOf(padded.subarray(0, plainBytes)),
    }),
    open: async (frames, expected) => openFrames(frames, expected, null),
    recycle: nothing,
    async [Symbol.asyncDispose]() {},
  };
}

export type SealKind = "sealRecords" | "sealEntry";
export type Sealed = Omit<SealedSegment, "release">;

/** Seals one segment after another; the frames go into `memory` where that is large enough. */
export function sealer(
  level: number,
): (kind: SealKind, segment: PlainSegment, memory: SharedArrayBuffer | null) => Promise<Sealed> {
  const compressor = new ZstdCompressor(level);
  return async (kind, { entryName, modifiedAt, padded, plainBytes }, memory) => {
    if (padded.length !== paddedBytes(plainBytes)) {
      throw new BackupError("INTERNAL", `entry ${entryName} is not padded as tar needs it`);
    }
    const fingerprints =
      kind === "sealRecords" ? fingerprintsOf(padded.subarray(0, plainBytes)) : new Uint8Array(0);
    const headerFrames = compressor.compress(await tarHeader(entryName, plainBytes, modifiedAt));
    const frames = compressor.compress(padded, memory);
    return { headerFrames, frames, sha256: sha256Hex(frames), fingerprints };
  };
}

/** As `SegmentCodec.open`; into `memory` where that is large enough. */
export function openFrames(
  frames: Uint8Array,
  { sha256, plainBytes }: { readonly sha256: string; readonly plainBytes: number },
  memory: ArrayBuffer | null,
): Uint8Array<ArrayBuffer> {
  if (sha256Hex(frames) !== sha256) {
    throw new BackupError("ARCHIVE_DAMAGED", "a stored frame does not have the checksum expected of it");
  }
  const padded = decompressFrame(frames, paddedBytes(plainBytes), memory);
  if (padded.subarray(plainBytes).some((byte) => byte !== 0)) {
    throw new BackupError("ARCHIVE_DAMAGED", "a stored entry is longer than expected");
  }
  return padded.subarray(0, plainBytes);
}

function nothing(): void {}
