import { Buffer } from "node:buffer";
import zstd from "zstd-napi/binding.js";
import { BackupError } from "../../domain/errors.ts";
import { frameContentBytes } from "./zstd-frame.ts";

/** Memory kept between calls, enough for segments of the usual size. */
const SCRATCH_BYTES = 17 * 1024 * 1024;

/** A block takes at least four bytes of a frame and gives at most 128 KiB: no frame can hold more than this for each of its bytes. */
const MAX_BYTES_PER_BYTE = 32 * 1024;

/** Makes one frame of one piece, with its content size and a checksum. */
export class ZstdCompressor {
  readonly #context = new zstd.CCtx();
  #scratch: Buffer | null = null;

  constructor(level: number) {
    this.#context.setParameter(zstd.CParameter.compressionLevel, level);
    this.#context.setParameter(zstd.CParameter.checksumFlag, 1);
  }

  /** Gives memory of its own, which may be transferred. */
  compress(plain: Uint8Array): Uint8Array {
    const bound = zstd.compressBound(plain.length);
    if (bound > SCRATCH_BYTES) return this.#compressHuge(plain, bound);
    this.#scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES);
    return new Uint8Array(this.#scratch.subarray(0, this.#context.compress2(this.#scratch, plain)));
  }

  #compressHuge(plain: Uint8Array, bound: number): Uint8Array {
    const target = Buffer.allocUnsafeSlow(bound);
    const frame = target.subarray(0, this.#context.compress2(target, plain));
    return frame.length < 0.75 * bound ? new Uint8Array(frame) : frame;
  }
}

/**
 * Gives the content of one frame that must declare exactly `contentBytes`; no memory is taken before that is known to be possible.
 * Throws ARCHIVE_DAMAGED.
 */
export function decompressFrame(frame: Uint8Array, contentBytes: number): Uint8Array<ArrayBuffer> {
  if (frameContentBytes(frame) !== contentBytes || contentBytes > frame.length * MAX_BYTES_PER_BYTE) {
    throw new BackupError("ARCHIVE_DAMAGED", "a stored frame does not declare the size expected of it");
  }
  try {
    if (zstd.findFrameCompressedSize(frame) !== frame.length) throw new Error("something follows the frame");
    const plain = new Uint8Array(Buffer.allocUnsafeSlow(contentBytes).buffer);
    const bytes = new zstd.DCtx().decompress(plain, frame);
    if (bytes !== contentBytes) throw new Error(`the frame holds ${bytes} bytes`);
    return plain;
  } catch (cause) {
    throw new BackupError("ARCHIVE_DAMAGED", "a stored frame cannot be decompressed", { cause });
  }
}
