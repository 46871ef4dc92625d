import { BackupError } from "../../domain/errors.ts";
import type { ErrorCode } from "../../domain/errors.ts";
import type { PlainSegment } from "../../ports/segment-codec.ts";
import type { Sealed, SealKind } from "./inline-codec.ts";

/** What is asked of a sealing thread, one at a time, and what it answers. */
export type SealJob =
  | {
      readonly kind: SealKind;
      readonly segment: PlainSegment & { readonly padded: Uint8Array<ArrayBuffer> };
      /** For the frames. */
      readonly memory: SharedArrayBuffer;
    }
  | { readonly kind: "fingerprint"; readonly padded: Uint8Array<ArrayBuffer>; readonly plainBytes: number }
  | {
      readonly kind: "open";
      readonly frames: Uint8Array;
      readonly expected: { readonly sha256: string; readonly plainBytes: number };
      /** For what they hold; null: to be taken once it is known that they can hold it. */
      readonly memory: ArrayBuffer | null;
    };

export type SealAnswer =
  /** `plain`: the memory of the segment, back again. */
  | { readonly sealed: Sealed; readonly plain: ArrayBuffer }
  /** `padded`: in the memory it came in. */
  | { readonly padded: Uint8Array<ArrayBuffer>; readonly fingerprints: Uint8Array }
  | { readonly opened: Uint8Array }
  | { readonly failed: SentError };

/** Errors lose their class between threads. */
export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  readonly cause: string | undefined;
}

/** Below this a copy costs nothing, and the piece may lie in memory shared with others. */
const TRANSFER_BYTES = 64 * 1024;

/** The piece in memory that may be transferred: its own, which is then lost to the caller, or a copy when it is small. */
export function toTransfer(piece: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = piece;
  if (length < TRANSFER_BYTES || !(buffer instanceof ArrayBuffer)) return new Uint8Array(piece);
  return new Uint8Array(buffer, byteOffset, length);
}

export function sendError(error: unknown): SentError {
  if (error instanceof BackupError) {
    const { code, message, hint, cause } = error;
    return { code, message, hint, cause: cause instanceof Error ? cause.message : undefined };
  }
  return { code: "INTERNAL", message: `sealing failed: ${String(error)}`, hint: undefined, cause: undefined };
}

export function receiveError({ code, message, hint, cause }: SentError): BackupError {
  return new BackupError(code, message, hint === undefined ? { cause } : { hint, cause });
}
