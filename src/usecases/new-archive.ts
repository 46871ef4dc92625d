import type { IndexFile, VolumeEntry } from "../domain/manifest.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Spool } from "../ports/spool.ts";
import { ArchiveWriter } from "../repository/archive-writer.ts";
import { IndexWriter } from "../repository/index-writer.ts";
import { SpoolRoom } from "./spool-room.ts";
import type { Targets } from "./targets.ts";

/** What every command that makes a backup tells while it does. */
export type ShippingEvent =
  | { readonly kind: "volume-shipped"; readonly name: string; readonly bytes: number }
  /** Writing waits for the targets; `bytes` wait for them in the spool. */
  | { readonly kind: "spool-full"; readonly bytes: number };

export interface NewArchiveDeps {
  openSpool(): Spool;
  readonly codec: SegmentCodec;
  now(): Date;
  report(event: ShippingEvent): void;
}

export interface NewArchiveOptions {
  readonly targets: Targets;
  readonly volumeBytes: number;
  /** Finished volumes that wait for targets and the one being written take at most so much; null: what the spool's disk allows. */
  readonly spoolMaxBytes: number | null;
  /** Of the tar entries. */
  readonly modifiedAt: Date;
  readonly signal: AbortSignal;
}

/** Volumes and index of a backup that is being made, on their way to its targets. Dispose it before giving up the backup. */
export class NewArchive implements AsyncDisposable {
  readonly archive: ArchiveWriter;
  readonly index: IndexWriter;
  readonly #spool: Spool;
  readonly #room: SpoolRoom;
  readonly #targets: Targets;
  readonly #closing = new AbortController();
  readonly #signal: AbortSignal;

  constructor(deps: NewArchiveDeps, options: NewArchiveOptions) {
    const { targets, volumeBytes, spoolMaxBytes } = options;
    const { codec } = deps;
    const modifiedAt = Math.floor(options.modifiedAt.getTime() / 1000);
    this.#targets = targets;
    this.#signal = AbortSignal.any([options.signal, this.#closing.signal]);
    this.#spool = deps.openSpool();
    const spool = this.#spool;
    const room = new SpoolRoom({
      spool,
      volumeBytes,
      maxBytes: spoolMaxBytes,
      now: () => deps.now(),
      onFull: (bytes) => deps.report({ kind: "spool-full", bytes }),
    });
    this.#room = room;
    this.index = new IndexWriter({ spool, codec, modifiedAt });
    this.archive = new ArchiveWriter({
      spool,
      codec,
      volumeBytes,
      modifiedAt,
      roomForVolume: async () => room.forNext(),
      onVolume: async (file) =>
        room.holding(file.bytes, async () => {
          await targets.put(file.name, file.body, this.#signal);
          await file.release();
          deps.report({ kind: "volume-shipped", name: file.name, bytes: file.bytes });
        }),
    });
  }

  /** How long writing waited for the targets because the spool was full. */
  get waitedMs(): number {
    return this.#room.waitedMs;
  }

  /** Resolves when every target has all of it. */
  async finish(): Promise<{ readonly volumes: readonly VolumeEntry[]; readonly index: IndexFile }> {
    const volumes = await this.archive.finish();
    const file = await this.index.finish();
    await this.#targets.put(file.name, file.body, this.#signal);
    await file.release();
    this.#signal.throwIfAborted();
    return { volumes, index: { name: file.name, bytes: file.bytes, sha256: file.sha256 } };
  }

  /** What is on its way is broken off. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error("the archive is closed"));
    await this.archive[Symbol.asyncDispose]();
    await this.#spool[Symbol.asyncDispose]();
  }
}
