import { Buffer } from "node:buffer";
import zstd from "zstd-napi/binding.js";
import { BackupError } from "../../domain/errors.ts";
import { frameContentBytes } from "./zstd-frame.ts";

/** A block takes at least four bytes of a frame and gives at most 128 KiB: no frame can hold more than this for each of its bytes. */
const MAX_BYTES_PER_BYTE = 32 * 1024;

/** Makes one frame of one piece, with its content size and a checksum. */
export class ZstdCompressor {
  readonly #context = new zstd.CCtx();

  constructor(level: number) {
    this.#context.setParameter(zstd.CParameter.compressionLevel, level);
    this.#context.setParameter(zstd.CParameter.checksumFlag, 1);
  }

  /** The frame lies at the start of `memory` where that is large enough, else of memory of its own. */
  compress(plain: Uint8Array, memory: SharedArrayBuffer | null = null): Uint8Array {
    const bound = zstd.compressBound(plain.length);
    const target =
      memory !== null && memory.byteLength >= bound ? memory : Buffer.allocUnsafeSlow(bound).buffer;
    return new Uint8Array(target, 0, this.#context.compress2(new Uint8Array(target), plain));
  }
}

/**
 * Gives the content of one frame that must declare exactly `contentBytes`: in `memory` where that is large enough, else in memory
 * of its own, which is not taken before that size is known to be possible. Throws ARCHIVE_DAMAGED.
 */
export function decompressFrame(
  frame: Uint8Array,
  contentBytes: number,
  memory: ArrayBuffer | null,
): Uint8Array<ArrayBuffer> {
  if (frameContentBytes(frame) !== contentBytes || contentBytes > frame.length * MAX_BYTES_PER_BYTE) {
    throw new BackupError("ARCHIVE_DAMAGED", "a stored frame does not declare the size expected of it");
  }
  try {
    if (zstd.findFrameCompressedSize(frame) !== frame.length) throw new Error("something follows the frame");
    const isEnough = memory !== null && memory.byteLength >= contentBytes;
    const target = isEnough ? memory : Buffer.allocUnsafeSlow(contentBytes).buffer;
    const plain = new Uint8Array(target, 0, contentBytes);
    const bytes = new zstd.DCtx().decompress(plain, frame);
    if (bytes !== contentBytes) throw new Error(`the frame holds ${bytes} bytes`);
    return plain;
  } catch (cause) {
    throw new BackupError("ARCHIVE_DAMAGED", "a stored frame cannot be decompressed", { cause });
  }
}
