import { createCipheriv, hkdfSync } from "node:crypto";

/**
 * The payload of an age v1 file, which follows header and nonce: chunks of 64 KiB, each sealed with ChaCha20-Poly1305 under the same
 * key, and a nonce of its number (11 bytes, big-endian) and one byte that is 1 for the last. Only a payload of nothing has an empty chunk.
 */
export const CHUNK_BYTES = 64 * 1024;
export const TAG_BYTES = 16;
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;
export const CIPHER = "chacha20-poly1305";
/** Of the file, before its payload. */
export const NONCE_BYTES = 16;

export interface PayloadLayout {
  readonly chunks: number;
  readonly plainBytes: number;
  /** Of the payload, as stored. */
  readonly storedBytes: number;
}

/** null: no payload is so long. */
export function payloadLayout(storedBytes: number): PayloadLayout | null {
  const chunks = Math.max(1, Math.ceil(storedBytes / SEALED_CHUNK_BYTES));
  const lastBytes = storedBytes - (chunks - 1) * SEALED_CHUNK_BYTES - TAG_BYTES;
  if (lastBytes < 0 || (lastBytes === 0 && chunks > 1)) return null;
  return { chunks, plainBytes: storedBytes - chunks * TAG_BYTES, storedBytes };
}

export function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", fileKey, nonce, "payload", 32));
}

export function chunkNonce(number: number, isLast: boolean): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(number, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/** Writes one chunk, given in pieces, to `out` at `offset`; gives where it ends. */
export function sealChunk(
  key: Uint8Array,
  nonce: Uint8Array,
  pieces: readonly Uint8Array[],
  out: Uint8Array,
  offset: number,
): number {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  let at = offset;
  for (const piece of pieces) {
    out.set(cipher.update(piece), at);
    at += piece.length;
  }
  cipher.final();
  out.set(cipher.getAuthTag(), at);
  return at + TAG_BYTES;
}
