import { fingerprintsEntryName } from "../domain/entry-name.ts";
import type { IndexEntry } from "../domain/manifest.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Spool, SpooledFile, SpoolFile } from "../ports/spool.ts";
import { appendEntry, endArchive, INDEX_NAME, plainEntry } from "./volume.ts";

/** 65,536 fingerprints of 16 bytes. */
const ENTRY_BYTES = 1024 * 1024;

export interface IndexWriterOptions {
  readonly spool: Pick<Spool, "create">;
  readonly codec: Pick<SegmentCodec, "sealEntry">;
  /** Unix time of the tar entries, seconds. */
  readonly modifiedAt: number;
  /** Bytes of fingerprints in one entry; a multiple of 16. */
  readonly entryBytes?: number;
}

interface OpenQueue {
  readonly entries: IndexEntry[];
  parts: Uint8Array[];
  bytes: number;
}

/**
 * Writes the index of one backup: memory for one unfinished entry a queue, whatever the queues hold.
 * After a first failure everything rejects with it.
 */
export class IndexWriter {
  readonly #options: IndexWriterOptions;
  readonly #entryBytes: number;
  readonly #queues = new Map<string, OpenQueue>();
  #file: Promise<SpoolFile> | null = null;
  #lane: Promise<unknown> = Promise.resolve();

  constructor(options: IndexWriterOptions) {
    this.#options = options;
    this.#entryBytes = options.entryBytes ?? ENTRY_BYTES;
  }

  /** The next fingerprints of a queue, 16 bytes each, in queue order. `folder` as `queueFolder` makes it. */
  async add(folder: string, fingerprints: Uint8Array): Promise<void> {
    const queue = this.#queues.get(folder) ?? { entries: [], parts: [], bytes: 0 };
    this.#queues.set(folder, queue);
    await this.#inLane(async () => {
      let rest = fingerprints;
      while (rest.length > 0) {
        const part = rest.subarray(0, this.#entryBytes - queue.bytes);
        rest = rest.subarray(part.length);
        queue.parts.push(part);
        queue.bytes += part.length;
        if (queue.bytes === this.#entryBytes) await this.#seal(folder, queue);
      }
    });
  }

  /** No more of this queue; where its fingerprints lie. */
  async endQueue(folder: string): Promise<readonly IndexEntry[]> {
    return this.#inLane(async () => {
      const queue = this.#queues.get(folder);
      if (queue === undefined) return [];
      this.#queues.delete(folder);
      if (queue.bytes > 0) await this.#seal(folder, queue);
      return queue.entries;
    });
  }

  /** After every queue has ended. The caller releases the file when the targets have it. */
  async finish(): Promise<SpooledFile> {
    return this.#inLane(async () => endArchive(await this.#opened()));
  }

  async #seal(folder: string, queue: OpenQueue): Promise<void> {
    const plain = new Uint8Array(queue.bytes);
    let at = 0;
    for (const part of queue.parts) {
      plain.set(part, at);
      at += part.length;
    }
    queue.parts = [];
    queue.bytes = 0;
    const entryName = fingerprintsEntryName(folder, queue.entries.length + 1);
    const sealed = await this.#options.codec.sealEntry(
      plainEntry(entryName, this.#options.modifiedAt, plain),
    );
    const range = await appendEntry(await this.#opened(), sealed);
    queue.entries.push({ ...range, records: at / 16, plainBytes: at, sha256: sealed.sha256 });
  }

  #opened(): Promise<SpoolFile> {
    return (this.#file ??= this.#options.spool.create(INDEX_NAME));
  }

  /** One at a time, in the order of the calls, and none after a first failure. */
  #inLane<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lane.then(work);
    turn.catch(() => undefined);
    this.#lane = turn;
    return turn;
  }
}
