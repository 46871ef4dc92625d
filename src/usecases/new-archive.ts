import type { IndexFile, VolumeEntry } from "../domain/manifest.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Spool } from "../ports/spool.ts";
import { ArchiveWriter } from "../repository/archive-writer.ts";
import { IndexWriter } from "../repository/index-writer.ts";
import type { Targets } from "./targets.ts";

/** Finished volumes that may wait for the targets; beyond that writing waits. */
const WAITING_VOLUMES = 2;

export interface NewArchiveDeps {
  openSpool(): Spool;
  readonly codec: SegmentCodec;
  report(event: { readonly kind: "volume-shipped"; readonly name: string; readonly bytes: number }): void;
}

export interface NewArchiveOptions {
  readonly targets: Targets;
  readonly volumeBytes: number;
  /** Of the tar entries. */
  readonly modifiedAt: Date;
  readonly signal: AbortSignal;
}

/** Volumes and index of a backup that is being made, on their way to its targets. Dispose it before giving up the backup. */
export class NewArchive implements AsyncDisposable {
  readonly archive: ArchiveWriter;
  readonly index: IndexWriter;
  readonly #spool: Spool;
  readonly #options: NewArchiveOptions;

  constructor(deps: NewArchiveDeps, options: NewArchiveOptions) {
    const { targets, volumeBytes, signal } = options;
    const { codec } = deps;
    const modifiedAt = Math.floor(options.modifiedAt.getTime() / 1000);
    this.#options = options;
    this.#spool = deps.openSpool();
    const spool = this.#spool;
    this.index = new IndexWriter({ spool, codec, modifiedAt });
    this.archive = new ArchiveWriter({
      spool,
      codec,
      volumeBytes,
      modifiedAt,
      waitingVolumes: WAITING_VOLUMES,
      onVolume: async (file) => {
        await targets.put(file.name, file.body, signal);
        deps.report({ kind: "volume-shipped", name: file.name, bytes: file.bytes });
      },
    });
  }

  /** Resolves when every target has all of it. */
  async finish(): Promise<{ readonly volumes: readonly VolumeEntry[]; readonly index: IndexFile }> {
    const { targets, signal } = this.#options;
    const volumes = await this.archive.finish();
    const file = await this.index.finish();
    await targets.put(file.name, file.body, signal);
    await file.release();
    signal.throwIfAborted();
    return { volumes, index: { name: file.name, bytes: file.bytes, sha256: file.sha256 } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.archive[Symbol.asyncDispose]();
    await this.#spool[Symbol.asyncDispose]();
  }
}
