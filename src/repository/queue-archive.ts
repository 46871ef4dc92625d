import type { IndexEntry, SegmentEntry } from "../domain/manifest.ts";
import type { ArchiveWriter, StoredSegment } from "./archive-writer.ts";
import type { IndexWriter } from "./index-writer.ts";
import type { BuiltSegment } from "./segment-builder.ts";

export interface QueueArchiveOptions {
  readonly archive: Pick<ArchiveWriter, "addRecords">;
  readonly index: Pick<IndexWriter, "add" | "endQueue">;
  /** As `queueFolder` makes it. */
  readonly folder: string;
  /** How many segments of this queue may be on their way at once: what bounds memory, and keeps several threads at work. */
  readonly ahead: number;
}

/** One queue's way into a backup: its segments into the volumes, their fingerprints into the index, both in queue order. */
export class QueueArchive {
  readonly #options: QueueArchiveOptions;
  readonly #segments: SegmentEntry[] = [];
  readonly #underWay: Promise<void>[] = [];
  #records = 0;

  constructor(options: QueueArchiveOptions) {
    this.#options = options;
  }

  /** Resolves when the next segment may come. Rejects with the failure of any segment before. */
  async append(segment: BuiltSegment): Promise<void> {
    const { archive, folder, ahead } = this.#options;
    const stored = archive.addRecords(folder, segment);
    const recorded = this.#record(stored, this.#underWay.at(-1) ?? Promise.resolve());
    // Its failure is met by the next append, or by finish.
    recorded.catch(() => undefined);
    this.#underWay.push(recorded);
    while (this.#underWay.length >= ahead) {
      await this.#underWay[0];
      void this.#underWay.shift();
    }
  }

  /** Resolves when all of the queue is in the volumes. */
  async finish(): Promise<{
    readonly segments: readonly SegmentEntry[];
    readonly index: readonly IndexEntry[];
  }> {
    await Promise.all(this.#underWay);
    return { segments: this.#segments, index: await this.#options.index.endQueue(this.#options.folder) };
  }

  async #record(stored: Promise<StoredSegment>, before: Promise<void>): Promise<void> {
    const [segment] = await Promise.all([stored, before]);
    const { volume, offset, length, records, plainBytes, sha256, fingerprints } = segment;
    this.#segments.push({ volume, offset, length, records, first: this.#records, plainBytes, sha256 });
    this.#records += records;
    await this.#options.index.add(this.#options.folder, fingerprints);
  }
}
