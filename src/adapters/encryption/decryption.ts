import { BackupError } from "../../domain/errors.ts";
import type { EncryptedFile } from "../../ports/encryption.ts";
import { AgeDamage } from "./age-damage.ts";
import { CHUNK_BYTES, payloadLayout } from "./payload.ts";
import { chunkOffset, PayloadOpener, type Payload } from "./payload-opener.ts";
import { MAX_PREAMBLE_BYTES, ONE_RECIPIENT_BYTES, openPreamble, preambleLength } from "./preamble.ts";

interface Range {
  readonly offset: number;
  readonly length: number;
}

/** Of the files opened last: what a file begins with is read once for many ranges. */
const KEPT_PAYLOADS = 256;

/** Reads files of one identity. */
export class Decryption {
  readonly #identity: string;
  readonly #payloads = new Map<string, Payload>();

  constructor(identity: string) {
    this.#identity = identity;
  }

  async *read(file: EncryptedFile, range: Range | null): AsyncGenerator<Uint8Array> {
    try {
      yield* range === null ? this.#whole(file) : this.#range(file, range);
    } catch (error) {
      // Whoever reads it again, from another copy perhaps, reads all of it again.
      this.#payloads.delete(keptAs(file));
      if (!(error instanceof AgeDamage)) throw error;
      throw new BackupError("ARCHIVE_DAMAGED", `${file.name} cannot be decrypted: ${error.message}`, {
        hint: "mqbackup verify shows all that is damaged; take it from another copy.",
        cause: error,
      });
    }
  }

  async *#whole(file: EncryptedFile): AsyncGenerator<Uint8Array> {
    let begin: Uint8Array = new Uint8Array(0);
    let opener: PayloadOpener | null = null;
    for await (const bytes of file.read(null)) {
      let rest = bytes;
      if (opener === null) {
        begin = begin.length === 0 ? bytes : Buffer.concat([begin, bytes]);
        const length = preambleLength(begin);
        if (length === null) continue;
        opener = new PayloadOpener(await this.#open(file, begin.subarray(0, length)));
        rest = begin.subarray(length);
      }
      yield* opener.open(rest);
    }
    if (opener === null) throw new AgeDamage("it ends before its header does");
    opener.finish();
  }

  async *#range(file: EncryptedFile, range: Range): AsyncGenerator<Uint8Array> {
    const payload = this.#payloads.get(keptAs(file)) ?? (await this.#openFirst(file));
    const { plainBytes, storedBytes } = payload.layout;
    if (range.offset + range.length > plainBytes) {
      throw new AgeDamage(`it has ${plainBytes} plain bytes, which do not hold the range asked for`);
    }
    if (range.length === 0) return;
    const first = Math.floor(range.offset / CHUNK_BYTES);
    const end = Math.ceil((range.offset + range.length) / CHUNK_BYTES);
    const opener = new PayloadOpener(payload, first, end);
    const offset = payload.offset + chunkOffset(first);
    const length = Math.min(chunkOffset(end), storedBytes) - chunkOffset(first);
    let skip = range.offset - first * CHUNK_BYTES;
    let left = range.length;
    for await (const bytes of file.read({ offset, length })) {
      for (const plain of opener.open(bytes)) {
        const wanted = plain.subarray(skip, skip + left);
        skip -= Math.min(skip, plain.length);
        left -= wanted.length;
        if (wanted.length > 0) yield wanted;
      }
    }
    opener.finish();
  }

  /** Reads as much as one recipient takes, and more of a file that others have encrypted. */
  async #openFirst(file: EncryptedFile): Promise<Payload> {
    for (let wanted = ONE_RECIPIENT_BYTES; ; wanted = Math.min(wanted * 16, MAX_PREAMBLE_BYTES)) {
      const range = { offset: 0, length: Math.min(wanted, file.bytes) };
      const pieces: Uint8Array[] = [];
      for await (const piece of file.read(range)) pieces.push(piece);
      const begin = Buffer.concat(pieces);
      const length = preambleLength(begin);
      if (length !== null) return this.#open(file, begin.subarray(0, length));
      if (range.length === file.bytes) throw new AgeDamage("it ends before its header does");
    }
  }

  async #open(file: EncryptedFile, preamble: Uint8Array): Promise<Payload> {
    const { payloadKey: key } = await openPreamble(preamble, this.#identity);
    const offset = preamble.length;
    const layout = payloadLayout(file.bytes - offset);
    if (layout === null) throw new AgeDamage(`no payload is ${file.bytes - offset} bytes long`);
    const payload = { key, layout, offset };
    const [oldest] = this.#payloads.keys();
    if (this.#payloads.size >= KEPT_PAYLOADS && oldest !== undefined) this.#payloads.delete(oldest);
    this.#payloads.set(keptAs(file), payload);
    return payload;
  }
}

function keptAs({ name, bytes }: EncryptedFile): string {
  return `${bytes} ${name}`;
}
