import crypto from "node:crypto";
import { FINGERPRINT_BYTES } from "../../domain/record.ts";

/** SHA-256, hexadecimal. */
export function sha256Hex(bytes: Uint8Array): string {
  return digest([bytes]).toString("hex");
}

/** First bytes of the SHA-256 of the pieces one after another. */
export function fingerprint(pieces: readonly Uint8Array[]): Uint8Array {
  return digest(pieces).subarray(0, FINGERPRINT_BYTES);
}

function digest(pieces: readonly Uint8Array[]): Buffer {
  const [only] = pieces;
  // The one-shot form is quicker for small records; Node has it from 20.12.
  if (pieces.length === 1 && only !== undefined && "hash" in crypto)
    return crypto.hash("sha256", only, "buffer");
  const hash = crypto.createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}
