import { createHash } from "node:crypto";
import type { Spool, SpooledFile, SpoolFile } from "../../ports/spool.ts";
import { CHUNK_BYTES, chunkNonce, SEALED_CHUNK_BYTES, sealChunk } from "./payload.ts";
import type { Preamble } from "./preamble.ts";

/** Chunks that are written at once. One batch is sealed while the one before is written. */
const BATCH_CHUNKS = 16;

/** See `BackupKey.encrypting`. */
export function encryptingSpool(spool: Spool, newPreamble: () => Promise<Preamble>): Spool {
  return {
    create: async (name) => {
      const preamble = await newPreamble();
      const file = await spool.create(`${name}.age`);
      await file.append(preamble.bytes);
      return encryptedFile(file, preamble.payloadKey);
    },
    disk: async () => spool.disk(),
    [Symbol.asyncDispose]: async () => spool[Symbol.asyncDispose](),
  };
}

function encryptedFile(stored: SpoolFile, key: Uint8Array): SpoolFile {
  const payload = new GrowingPayload(stored, key);
  let bytes = 0;
  let last: Promise<unknown> = Promise.resolve();

  /** After what came before, and not at all when that failed. */
  function next<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work);
    last = turn;
    turn.catch(() => undefined);
    return turn;
  }

  return {
    name: stored.name,
    get bytes() {
      return bytes;
    },
    append: async (part) => {
      const range = { offset: bytes, length: part.length };
      bytes += part.length;
      await next(async () => payload.append(part));
      return range;
    },
    finish: async (): Promise<SpooledFile> => {
      const { sha256, file } = await next(async () => ({
        sha256: await payload.end(),
        file: await stored.finish(),
      }));
      return {
        name: file.name,
        bytes: file.bytes,
        sha256: file.sha256,
        body: file.body,
        plain: { bytes, sha256 },
        release: async () => file.release(),
      };
    },
  };
}

/** Seals chunk after chunk. Which one is the last shows only at the end: so many bytes are held back. */
class GrowingPayload {
  readonly #stored: SpoolFile;
  readonly #key: Uint8Array;
  readonly #hash = createHash("sha256");
  readonly #held = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #heldBytes = 0;
  #sealed = 0;
  #batch = newBatch();
  #writing = newBatch();

  constructor(stored: SpoolFile, key: Uint8Array) {
    this.#stored = stored;
    this.#key = key;
  }

  /** Resolves when all but the last chunk is written; `part` may then be used for something else. */
  async append(part: Uint8Array): Promise<void> {
    let rest = part;
    while (this.#heldBytes + rest.length > CHUNK_BYTES) {
      const more = rest.subarray(0, CHUNK_BYTES - this.#heldBytes);
      this.#hash.update(more);
      this.#seal([this.#held.subarray(0, this.#heldBytes), more], false);
      this.#heldBytes = 0;
      rest = rest.subarray(more.length);
      if (this.#batch.bytes === this.#batch.memory.length) await this.#write();
    }
    this.#hash.update(rest);
    this.#held.set(rest, this.#heldBytes);
    this.#heldBytes += rest.length;
    await this.#write();
    await this.#writing.written;
  }

  /** Gives the checksum of what was appended. */
  async end(): Promise<string> {
    this.#seal([this.#held.subarray(0, this.#heldBytes)], true);
    await this.#write();
    await this.#writing.written;
    return this.#hash.digest("hex");
  }

  #seal(pieces: readonly Uint8Array[], isLast: boolean): void {
    const { memory, bytes } = this.#batch;
    this.#batch.bytes = sealChunk(this.#key, chunkNonce(this.#sealed, isLast), pieces, memory, bytes);
    this.#sealed += 1;
  }

  /** Hands the batch over to be written; resolves when the other one is free. */
  async #write(): Promise<void> {
    const { memory, bytes } = this.#batch;
    if (bytes === 0) return;
    await this.#writing.written;
    const written = this.#stored.append(memory.subarray(0, bytes));
    written.catch(() => undefined);
    [this.#batch, this.#writing] = [this.#writing, { memory, bytes: 0, written }];
  }
}

interface Batch {
  readonly memory: Uint8Array;
  bytes: number;
  /** When it may be filled again. */
  readonly written: Promise<unknown>;
}

function newBatch(): Batch {
  const memory = Buffer.allocUnsafeSlow(BATCH_CHUNKS * SEALED_CHUNK_BYTES);
  return { memory, bytes: 0, written: Promise.resolve() };
}
