import { definitionsEntryName, recordsEntryName } from "../domain/entry-name.ts";
import type { Definitions } from "../domain/definitions.ts";
import type { DefinitionsEntry, FrameRange, VolumeEntry } from "../domain/manifest.ts";
import type { SealedSegment, SegmentCodec } from "../ports/segment-codec.ts";
import type { Spool, SpooledFile, SpoolFile } from "../ports/spool.ts";
import { encodeDefinitions } from "./definitions-codec.ts";
import type { BuiltSegment } from "./segment-builder.ts";
import { appendEntry, END_OF_ARCHIVE, endArchive, plainEntry, volumeName } from "./volume.ts";

export interface ArchiveWriterOptions {
  readonly spool: Pick<Spool, "create">;
  readonly codec: Pick<SegmentCodec, "memory" | "sealRecords" | "sealEntry">;
  /** A volume is closed before it would grow past this; one segment larger than that makes a volume of its own. */
  readonly volumeBytes: number;
  /** Unix time of the tar entries, seconds. */
  readonly modifiedAt: number;
  /** Resolves when the spool has room for another volume; nothing is written before. */
  roomForVolume(): Promise<void>;
  /** Takes a finished volume and releases it; others are written and finished meanwhile. */
  onVolume(file: SpooledFile): Promise<void>;
}

export interface StoredSegment extends FrameRange {
  readonly volume: number;
  readonly plainBytes: number;
  readonly records: number;
  readonly sha256: string;
  /** 16 bytes a record, in order. */
  readonly fingerprints: Uint8Array;
}

interface OpenVolume {
  readonly number: number;
  readonly file: SpoolFile;
}

/**
 * Writes the volumes of one backup. Queues may add at once, and a queue may add its next segment before the last is stored:
 * segments of one queue are stored, and their promises fulfilled, in the order they were added.
 * After a first failure everything rejects with it. Dispose (or `finish`) before giving up the backup: nothing is with `onVolume`
 * afterwards.
 */
export class ArchiveWriter implements AsyncDisposable {
  readonly #options: ArchiveWriterOptions;
  readonly #volumes: VolumeEntry[] = [];
  readonly #deliveries = new Set<Promise<void>>();
  readonly #pending = new Set<Promise<unknown>>();
  readonly #queues = new Map<string, { added: number; last: Promise<unknown> }>();
  #definitions = 0;
  #started = 0;
  #open: OpenVolume | null = null;
  #lane: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;
  #wakeUp: () => void = () => undefined;

  constructor(options: ArchiveWriterOptions) {
    this.#options = options;
  }

  /** For the next segment of a queue; it need not be used. */
  segmentMemory(bytes: number): Uint8Array {
    return this.#options.codec.memory(bytes);
  }

  /** `folder` as `queueFolder` makes it. The segment's memory is handed over. */
  addRecords(folder: string, segment: BuiltSegment): Promise<StoredSegment> {
    const queue = this.#queues.get(folder) ?? { added: 0, last: Promise.resolve() };
    queue.added += 1;
    const { padded, plainBytes, records } = segment;
    const entryName = recordsEntryName(folder, queue.added);
    const stored = this.#add(queue.last, async () => {
      const { modifiedAt, codec } = this.#options;
      return codec.sealRecords({ entryName, modifiedAt, padded, plainBytes });
    }).then(({ sealed, ...place }) => ({
      ...place,
      plainBytes,
      records,
      sha256: sealed.sha256,
      fingerprints: sealed.fingerprints,
    }));
    queue.last = this.#track(stored);
    this.#queues.set(folder, queue);
    return stored;
  }

  async addDefinitions(definitions: Definitions): Promise<DefinitionsEntry> {
    this.#definitions += 1;
    const { vhost } = definitions;
    const entryName = definitionsEntryName(this.#definitions, vhost);
    const bytes = encodeDefinitions(definitions);
    const stored = this.#add(Promise.resolve(), async () =>
      this.#options.codec.sealEntry(plainEntry(entryName, this.#options.modifiedAt, bytes)),
    );
    void this.#track(stored);
    const { volume, offset, length, sealed } = await stored;
    return { vhost, volume, offset, length, plainBytes: bytes.length, sha256: sealed.sha256 };
  }

  /** Resolves when everything added is stored and every volume taken by `onVolume`; the volumes in order of their numbers. */
  async finish(): Promise<readonly VolumeEntry[]> {
    await this.#settled();
    await this.#inLane(async () => this.#closeVolume());
    await Promise.all(this.#deliveries);
    this.#throwFailure();
    return [...this.#volumes];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#keep(new Error("the archive writer is closed"));
    await this.#settled();
    await Promise.allSettled(this.#deliveries);
  }

  /** Seals at once, stores after `before`. */
  async #add(
    before: Promise<unknown>,
    seal: () => Promise<SealedSegment>,
  ): Promise<FrameRange & { readonly volume: number; readonly sealed: SealedSegment }> {
    this.#throwFailure();
    const sealing = seal();
    const [sealed] = await Promise.all([sealing.catch((error: unknown) => this.#fail(error)), before]);
    return this.#inLane(async () => ({ ...(await this.#store(sealed)), sealed }));
  }

  async #store(sealed: SealedSegment): Promise<FrameRange & { readonly volume: number }> {
    const { volumeBytes } = this.#options;
    const bytes = sealed.headerFrames.length + sealed.frames.length + END_OF_ARCHIVE.length;
    if (this.#open !== null && this.#open.file.bytes + bytes > volumeBytes) await this.#closeVolume();
    this.#open ??= await this.#openVolume();
    const { number, file } = this.#open;
    const place = await appendEntry(file, sealed);
    sealed.release();
    return { volume: number, ...place };
  }

  async #openVolume(): Promise<OpenVolume> {
    const failed = new Promise<void>((resolve) => (this.#wakeUp = resolve));
    await Promise.race([this.#options.roomForVolume(), failed]);
    this.#throwFailure();
    this.#started += 1;
    return { number: this.#started, file: await this.#options.spool.create(volumeName(this.#started)) };
  }

  async #closeVolume(): Promise<void> {
    if (this.#open === null) return;
    const { file } = this.#open;
    this.#open = null;
    const finished = await endArchive(file);
    this.#volumes.push({ name: finished.name, bytes: finished.bytes, sha256: finished.sha256 });
    const delivery: Promise<void> = this.#deliver(finished).finally(() => this.#deliveries.delete(delivery));
    this.#deliveries.add(delivery);
  }

  /** Never rejects: a failure shows at whatever comes next. */
  async #deliver(file: SpooledFile): Promise<void> {
    try {
      await this.#options.onVolume(file);
    } catch (error) {
      this.#keep(error);
    }
  }

  /** One at a time, in the order of the calls. */
  #inLane<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lane.then(async () => {
      this.#throwFailure();
      try {
        return await work();
      } catch (error) {
        return this.#fail(error);
      }
    });
    this.#lane = turn.catch(() => undefined);
    return turn;
  }

  /** Remembered until it is settled; its failure is kept, so nobody must await it. */
  #track(stored: Promise<unknown>): Promise<unknown> {
    const quiet = stored.catch(() => undefined).finally(() => this.#pending.delete(quiet));
    this.#pending.add(quiet);
    return quiet;
  }

  async #settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  #fail(error: unknown): never {
    throw this.#keep(error).error;
  }

  /** The first failure counts. */
  #keep(error: unknown): { readonly error: unknown } {
    this.#failure ??= { error };
    this.#wakeUp();
    return this.#failure;
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}
