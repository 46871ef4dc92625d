import { Buffer } from "node:buffer";
import { BackupError } from "../../domain/errors.ts";
import type { ObjectBody } from "../../ports/store.ts";

/**
 * The body in parts of `partBytes`, the last one smaller; none for an empty body. No part is used again. Throws TARGET_FAILED for a body of another length
 * than it says, before the part that shows it.
 */
export async function* bodyParts(
  body: ObjectBody,
  partBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = body.bytes;
  let part = emptyPart();
  let filled = 0;
  for await (const piece of body.open()) {
    signal.throwIfAborted();
    if (piece.length > left) throw wrongLength(body.bytes, "more");
    left -= piece.length;
    for (let at = 0; at < piece.length;) {
      const some = piece.subarray(at, at + part.length - filled);
      part.set(some, filled);
      filled += some.length;
      at += some.length;
      // The last part waits for the body's end: it may turn out to be longer.
      if (filled < part.length || (left === 0 && at === piece.length)) continue;
      yield part;
      part = emptyPart(piece.length - at);
      filled = 0;
    }
  }
  signal.throwIfAborted();
  if (left > 0) throw wrongLength(body.bytes, "fewer");
  if (filled > 0) yield part.subarray(0, filled);

  /** `ahead`: bytes of the piece at hand that are not counted as left any more. */
  function emptyPart(ahead = 0): Uint8Array {
    return Buffer.allocUnsafeSlow(Math.min(partBytes, left + ahead));
  }
}

function wrongLength(expected: number, actual: "more" | "fewer"): BackupError {
  return new BackupError("TARGET_FAILED", `${expected} bytes were to be written, but there were ${actual}`);
}
