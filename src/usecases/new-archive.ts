import type { IndexFile, Manifest, VolumeEntry } from "../domain/manifest.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Spool, SpooledFile } from "../ports/spool.ts";
import type { ObjectBody } from "../ports/store.ts";
import { ArchiveWriter } from "../repository/archive-writer.ts";
import { IndexWriter } from "../repository/index-writer.ts";
import { KEY_NAME } from "../repository/backup-folder.ts";
import { bytesBody } from "../repository/objects.ts";
import type { SealedManifest } from "../repository/manifest-seal.ts";
import { plainFile, storedFile } from "../repository/volume.ts";
import type { BackupSealing } from "./backup-sealing.ts";
import type { FullResume } from "./full-resume.ts";
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
  /** null: it is not encrypted. */
  readonly sealing: BackupSealing | null;
  readonly signal: AbortSignal;
  /** Of a full; others are not gone on with. */
  readonly resume?: FullResume;
}

/** What a backup consists of, before it was encrypted. */
export interface NewFiles {
  readonly volumes: readonly VolumeEntry[];
  readonly index: IndexFile;
}

/** Volumes and index of a backup that is being made, on their way to its targets. Dispose it before giving up the backup. */
export class NewArchive implements AsyncDisposable {
  readonly archive: ArchiveWriter;
  readonly index: IndexWriter;
  readonly #spool: Spool;
  readonly #room: SpoolRoom;
  readonly #targets: Targets;
  readonly #sealing: BackupSealing | null;
  /** Volumes, then the index. */
  readonly #stored: VolumeEntry[] = [];
  /** Encrypted, in the spool; null: it is not finished, or not encrypted. */
  #indexFile: SpooledFile | null = null;
  readonly #resume: FullResume | undefined;
  readonly #closing = new AbortController();
  readonly #signal: AbortSignal;

  constructor(deps: NewArchiveDeps, options: NewArchiveOptions) {
    const { targets, volumeBytes, spoolMaxBytes, sealing } = options;
    const { codec } = deps;
    const { resume } = options;
    const modifiedAt = Math.floor(options.modifiedAt.getTime() / 1000);
    this.#targets = targets;
    this.#resume = resume;
    this.#signal = AbortSignal.any([options.signal, this.#closing.signal]);
    this.#spool = deps.openSpool();
    this.#sealing = sealing;
    const spool = sealing === null ? this.#spool : sealing.encrypting(this.#spool);
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
      ...resume?.archiveOptions,
      onVolume: async (file, segments) => {
        this.#stored.push(storedFile(file));
        await room.holding(file.bytes, async () => {
          await resume?.putting(file, segments);
          await targets.put(file.name, file.body, this.#signal);
          resume?.put(file);
          await file.release();
          deps.report({ kind: "volume-shipped", name: file.name, bytes: file.bytes });
        });
      },
    });
  }

  /** How long writing waited for the targets because the spool was full. */
  get waitedMs(): number {
    return this.#room.waitedMs;
  }

  /** Bytes of all files as they are stored, once it is finished. */
  get storedBytes(): number {
    return this.#stored.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The index before it was encrypted, to be read until this is disposed of; null: it is not encrypted. */
  get plainIndex(): ObjectBody | null {
    return this.#indexFile && (this.#sealing?.decrypted(this.#indexFile) ?? null);
  }

  /** Of its manifest what is to be stored, and what who has the keys reads; the same when it is not encrypted. Once, when it is finished. */
  seal(manifest: Manifest): SealedManifest {
    return this.#sealing?.seal(manifest, this.#stored) ?? { sealed: manifest, opened: manifest };
  }

  /** Resolves when every target has all of it. The volumes are those written now. */
  async finish(): Promise<NewFiles> {
    this.#resume?.ending();
    const volumes = await this.archive.finish();
    const file = await this.index.finish();
    this.#stored.push(storedFile(file));
    if (this.#sealing !== null)
      await this.#targets.put(KEY_NAME, bytesBody(this.#sealing.keyFile), this.#signal);
    await this.#targets.put(file.name, file.body, this.#signal);
    if (this.#sealing === null) await file.release();
    else this.#indexFile = file;
    this.#signal.throwIfAborted();
    return { volumes, index: plainFile(file) };
  }

  /** What is on its way is broken off. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error("the archive is closed"));
    await this.archive[Symbol.asyncDispose]();
    await this.#spool[Symbol.asyncDispose]();
  }
}
