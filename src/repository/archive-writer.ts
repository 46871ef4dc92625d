import { definitionsEntryName, recordsEntryName } from "../domain/entry-name.ts";
import type { Definitions } from "../domain/definitions.ts";
import type { DefinitionsEntry, FrameRange, VolumeEntry } from "../domain/manifest.ts";
import type { SealedSegment, SegmentCodec } from "../ports/segment-codec.ts";
import type { Spool, SpooledFile, SpoolFile } from "../ports/spool.ts";
import { encodeDefinitions } from "./definitions-codec.ts";
import type { BuiltSegment } from "./segment-builder.ts";
import {
  segmentIdentity,
  streamOffsets,
  type ShippedSegments,
  type VolumeSegment,
} from "./shipped-segments.ts";
import { appendEntry, END_OF_ARCHIVE, endArchive, plainEntry, plainFile, volumeName } from "./volume.ts";

export interface ArchiveWriterOptions {
  readonly spool: Pick<Spool, "create">;
  readonly codec: Pick<SegmentCodec, "memory" | "sealRecords" | "sealEntry" | "fingerprint" | "recycle">;
  /** A volume is closed before it would grow past this; one segment larger than that makes a volume of its own. */
  readonly volumeBytes: number;
  /** Unix time of the tar entries, seconds. */
  readonly modifiedAt: number;
  /** Resolves when the spool has room for another volume; nothing is written before. */
  roomForVolume(): Promise<void>;
  /** Takes a finished volume and releases it; others are written and finished meanwhile. */
  onVolume(file: SpooledFile, segments: readonly VolumeSegment[]): Promise<void>;
  /** Number of the first volume; absent: 1. */
  readonly firstVolume?: number;
  /** What need not be stored again; absent: everything is stored. */
  readonly shipped?: ShippedSegments;
}

export interface StoredSegment extends FrameRange {
  /** The number in its name. */
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
  readonly segments: VolumeSegment[];
}

interface Queue {
  readonly folder: string;
  added: number;
  records: number;
  last: Promise<unknown>;
}

/** What was stored, or need not be. */
type Placed = FrameRange & { readonly volume: number };

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
  readonly #queues = new Map<string, Queue>();
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
    const queue = this.#queues.get(folder) ?? { folder, added: 0, records: 0, last: Promise.resolve() };
    const stored = this.#addSegment({ ...queue }, segment);
    queue.added += 1;
    queue.records += segment.records;
    queue.last = this.#track(stored);
    this.#queues.set(folder, queue);
    return stored;
  }

  /** `queue`: as it was before the segment. */
  async #addSegment(
    { folder, added, records: first, last }: Queue,
    { padded, plainBytes, records }: BuiltSegment,
  ): Promise<StoredSegment> {
    this.#throwFailure();
    const { codec, modifiedAt, shipped } = this.#options;
    const offsets = streamOffsets(padded.subarray(0, plainBytes), records);
    const found = shipped?.at(folder, first, { records, plainBytes }) ?? null;
    let rest = padded;
    if (shipped !== undefined && found !== null) {
      const again = await this.#orFail(codec.fingerprint({ padded, plainBytes }));
      if (segmentIdentity(again.fingerprints, offsets) === found.segment.identity) {
        codec.recycle(again.padded);
        shipped.take(found);
        await last;
        this.#throwFailure();
        const { offset, length, sha256 } = found.segment;
        const { volume } = found;
        return { volume, offset, length, plainBytes, records, sha256, fingerprints: again.fingerprints };
      }
      rest = again.padded;
    }
    const entryName = recordsEntryName(folder, added + 1);
    const { sealed, ...place } = await this.#add(
      last,
      async () => codec.sealRecords({ entryName, modifiedAt, padded: rest, plainBytes }),
      ({ offset, length }, { sha256, fingerprints }) => {
        const identity = segmentIdentity(fingerprints, offsets);
        return { folder, first, records, plainBytes, offset, length, sha256, identity };
      },
    );
    const { sha256, fingerprints } = sealed;
    return { ...place, plainBytes, records, sha256, fingerprints };
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

  /** Resolves when everything added is stored and every volume taken by `onVolume`; the volumes in order of their numbers,
   * before they were encrypted. */
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
    segmentOf?: (place: FrameRange, sealed: SealedSegment) => VolumeSegment,
  ): Promise<Placed & { readonly sealed: SealedSegment }> {
    this.#throwFailure();
    const [sealed] = await Promise.all([this.#orFail(seal()), before]);
    return this.#inLane(async () => {
      const { open, place } = await this.#store(sealed);
      if (segmentOf !== undefined) open.segments.push(segmentOf(place, sealed));
      sealed.release();
      return { ...place, volume: open.number, sealed };
    });
  }

  async #store(sealed: SealedSegment): Promise<{ readonly open: OpenVolume; readonly place: FrameRange }> {
    const { volumeBytes } = this.#options;
    const bytes = sealed.headerFrames.length + sealed.frames.length + END_OF_ARCHIVE.length;
    if (this.#open !== null && this.#open.file.bytes + bytes > volumeBytes) await this.#closeVolume();
    const open = (this.#open ??= await this.#openVolume());
    return { open, place: await appendEntry(open.file, sealed) };
  }

  async #openVolume(): Promise<OpenVolume> {
    const failed = new Promise<void>((resolve) => (this.#wakeUp = resolve));
    await Promise.race([this.#options.roomForVolume(), failed]);
    this.#throwFailure();
    const number = this.#started + (this.#options.firstVolume ?? 1);
    this.#started += 1;
    return { number, file: await this.#options.spool.create(volumeName(number)), segments: [] };
  }

  async #closeVolume(): Promise<void> {
    if (this.#open === null) return;
    const { file, segments } = this.#open;
    this.#open = null;
    const finished = await endArchive(file);
    this.#volumes.push(plainFile(finished));
    const delivery: Promise<void> = this.#deliver(finished, segments).finally(() =>
      this.#deliveries.delete(delivery),
    );
    this.#deliveries.add(delivery);
  }

  /** Never rejects: a failure shows at whatever comes next. */
  async #deliver(file: SpooledFile, segments: readonly VolumeSegment[]): Promise<void> {
    try {
      await this.#options.onVolume(file, segments);
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

  async #orFail<T>(work: Promise<T>): Promise<T> {
    return work.catch((error: unknown) => this.#fail(error));
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
