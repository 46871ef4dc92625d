import { begunAt, parseBackupId, type BackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { BackupReference, Manifest, QueueEntry } from "../domain/manifest.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Store } from "../ports/store.ts";
import { referencesOf, type ManifestOf, type StoredManifest } from "../repository/backup-references.ts";
import { allFingerprints } from "../repository/content-fingerprints.ts";
import { readContent, segmentRuns, type SequencedRecord } from "../repository/content-reader.ts";
import { ManifestCache } from "./manifest-cache.ts";

export interface BaseSource {
  readonly store: Store;
  readonly codec: Pick<SegmentCodec, "open">;
}

const HINT = "Build on another backup with --base, or take a full one with mqbackup full.";

/** The backup an incremental builds on: what its queues held, wherever the records lie. */
export class BaseBackup {
  readonly manifest: Manifest;
  readonly id: BackupId;
  readonly #source: BaseSource;
  readonly #seal: string;

  constructor(source: BaseSource, { manifest, seal }: StoredManifest) {
    this.#source = source;
    this.#seal = seal;
    this.manifest = manifest;
    this.id = parseBackupId(manifest.id);
  }

  /** Its moment as ids have it: an incremental on it gets a later one. */
  get begunAt(): Date {
    return begunAt(this.id);
  }

  /** The same queue as it was then; null: it was not there, not read, empty, or it became a stream or no longer is one. */
  queue({ vhost, name }: QueueAddress, isStream: boolean): QueueEntry | null {
    const found = this.manifest.queues.find((queue) => queue.vhost === vhost && queue.name === name);
    return found && (found.type === "stream") === isStream && found.messages > 0 ? found : null;
  }

  /** 16 bytes for each of its messages, in order. Throws ARCHIVE_DAMAGED, MANIFEST_DAMAGED, FORMAT_NEWER, TARGET_*. */
  async fingerprints(queue: QueueEntry, options: Abortable): Promise<Uint8Array> {
    return hinted(() =>
      allFingerprints(this.#source, this.manifest, queue, this.#manifestOf(options), options),
    );
  }

  /** Its messages in order; views are valid until the next batch is asked for. Throws as `fingerprints`. */
  async *records(queue: QueueEntry, options: Abortable): AsyncGenerator<readonly SequencedRecord[]> {
    const runs = segmentRuns(this.manifest, queue, 0, this.#manifestOf(options));
    const batches = readContent(this.#source, runs, options);
    for (;;) {
      const { done, value } = await hinted(() => batches.next());
      if (done === true) return;
      yield value;
    }
  }

  /** What an incremental on it with this content notes of those it needs. Throws as `fingerprints`. */
  async references(queues: readonly QueueEntry[], options: Abortable): Promise<readonly BackupReference[]> {
    const manifestOf = this.#manifestOf(options);
    const sealOf = async (id: BackupId) => (await manifestOf(id, this.manifest)).seal;
    return hinted(async () => referencesOf({ base: this.id, queues }, sealOf));
  }

  #manifestOf(options: Abortable): ManifestOf {
    const holders = new ManifestCache(this.#source.store, options);
    const own = { manifest: this.manifest, seal: this.#seal };
    return async (id, neededBy) => (id === this.id ? own : holders.get(id, neededBy));
  }
}

/** What is wrong with a base, and what can be done instead. */
export async function hinted<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!hasCode(error, "MANIFEST_DAMAGED", "ARCHIVE_DAMAGED", "OBJECT_MISSING", "FORMAT_NEWER")) throw error;
    const { code } = error;
    throw new BackupError(
      code === "OBJECT_MISSING" ? "ARCHIVE_DAMAGED" : code,
      `the base cannot be used: ${error.message}`,
      { hint: HINT, cause: error },
    );
  }
}
