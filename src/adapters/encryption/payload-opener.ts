import { createDecipheriv } from "node:crypto";
import { AgeDamage } from "./age-damage.ts";
import {
  CHUNK_BYTES,
  chunkNonce,
  CIPHER,
  SEALED_CHUNK_BYTES,
  TAG_BYTES,
  type PayloadLayout,
} from "./payload.ts";

export interface Payload {
  readonly key: Uint8Array;
  readonly layout: PayloadLayout;
  /** Where in the file it begins. */
  readonly offset: number;
}

interface OpenChunk {
  readonly decipher: ReturnType<typeof newDecipher>;
  /** Still to come, without the tag. */
  sealedBytes: number;
  readonly tag: Uint8Array;
  tagBytes: number;
  readonly plain: Uint8Array[];
}

/** Opens the chunks [first, end) of a payload, of bytes that come in pieces of any size. */
export class PayloadOpener {
  readonly #payload: Payload;
  readonly #end: number;
  #number: number;
  #chunk: OpenChunk | null = null;

  constructor(payload: Payload, first = 0, end = payload.layout.chunks) {
    this.#payload = payload;
    this.#number = first;
    this.#end = end;
  }

  /** What is now proven: nothing of a chunk is given before all of it was seen. Throws AgeDamage. */
  *open(bytes: Uint8Array): Generator<Uint8Array> {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#number === this.#end) throw this.#damage();
      this.#chunk ??= this.#newChunk();
      rest = take(this.#chunk, rest);
      if (this.#chunk.tagBytes < TAG_BYTES) return;
      yield* this.#prove(this.#chunk);
      this.#chunk = null;
      this.#number += 1;
    }
  }

  /** No more bytes. Throws AgeDamage when some are missing. */
  finish(): void {
    if (this.#number < this.#end) throw this.#damage();
  }

  #newChunk(): OpenChunk {
    const { chunks, plainBytes } = this.#payload.layout;
    const isLast = this.#number === chunks - 1;
    return {
      decipher: newDecipher(this.#payload.key, chunkNonce(this.#number, isLast)),
      sealedBytes: isLast ? plainBytes - this.#number * CHUNK_BYTES : CHUNK_BYTES,
      tag: new Uint8Array(TAG_BYTES),
      tagBytes: 0,
      plain: [],
    };
  }

  #prove({ decipher, tag, plain }: OpenChunk): readonly Uint8Array[] {
    decipher.setAuthTag(tag);
    try {
      decipher.final();
    } catch {
      throw this.#damage();
    }
    return plain;
  }

  #damage(): AgeDamage {
    const from = this.#payload.offset + chunkOffset(this.#number);
    return new AgeDamage(`what begins at its byte ${from} was changed, cut off or is of another file`);
  }
}

/** Where in the payload, as stored, a chunk begins. */
export function chunkOffset(number: number): number {
  return number * SEALED_CHUNK_BYTES;
}

function newDecipher(key: Uint8Array, nonce: Uint8Array) {
  return createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
}

/** Gives what is left over. */
function take(chunk: OpenChunk, bytes: Uint8Array): Uint8Array {
  const sealed = bytes.subarray(0, chunk.sealedBytes);
  if (sealed.length > 0) chunk.plain.push(chunk.decipher.update(sealed));
  chunk.sealedBytes -= sealed.length;
  const tag = bytes.subarray(sealed.length, sealed.length + TAG_BYTES - chunk.tagBytes);
  chunk.tag.set(tag, chunk.tagBytes);
  chunk.tagBytes += tag.length;
  return bytes.subarray(sealed.length + tag.length);
}
