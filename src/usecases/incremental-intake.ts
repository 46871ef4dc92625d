import type { ContentBuilder, Stretch } from "../domain/content-builder.ts";
import { readRecords } from "../domain/record.ts";
import type { SequenceDiff } from "../domain/sequence-diff.ts";
import type { FingerprintedSegment, SegmentCodec } from "../ports/segment-codec.ts";
import type { QueueArchive } from "../repository/queue-archive.ts";
import { SegmentBuilder, type BuiltSegment } from "../repository/segment-builder.ts";
import type { QueueContent, QueueIntake } from "./queue-intake.ts";

export interface IncrementalIntakeOptions {
  readonly archive: QueueArchive;
  readonly codec: Pick<SegmentCodec, "fingerprint" | "recycle">;
  readonly diff: SequenceDiff;
  /** Over the same base. */
  readonly content: ContentBuilder;
  /** For the records that are new. */
  readonly builder: SegmentBuilder;
  /** Segments whose fingerprints may be under way at once. */
  readonly ahead: number;
}

/** Stores the messages the base does not have. */
export class IncrementalIntake implements QueueIntake {
  readonly #options: IncrementalIntakeOptions;
  readonly #underWay: Promise<void>[] = [];

  constructor(options: IncrementalIntakeOptions) {
    this.#options = options;
  }

  async append(segment: BuiltSegment): Promise<void> {
    const taken = this.#options.codec.fingerprint(segment);
    const sorted = this.#sort(segment, taken, this.#underWay.at(-1) ?? Promise.resolve());
    // Its failure is met by the next append, or by finish.
    sorted.catch(() => undefined);
    this.#underWay.push(sorted);
    while (this.#underWay.length >= this.#options.ahead) {
      await this.#underWay[0];
      void this.#underWay.shift();
    }
  }

  async finish(): Promise<QueueContent> {
    await Promise.all(this.#underWay);
    await this.#flush();
    const { archive, content } = this.#options;
    return { ...(await archive.finish()), content: content.content };
  }

  /** One segment after another: the diff goes by their order. */
  async #sort(
    segment: BuiltSegment,
    taken: Promise<FingerprintedSegment>,
    before: Promise<void>,
  ): Promise<void> {
    const [{ padded, fingerprints }] = await Promise.all([taken, before]);
    const { codec, content, diff, archive } = this.#options;
    const stored = content.add(diff.match(fingerprints));
    if (stored[0]?.count === segment.records) {
      await this.#flush();
      await archive.append({ ...segment, padded });
      return;
    }
    await this.#store(padded.subarray(0, segment.plainBytes), segment.records, stored);
    codec.recycle(padded);
  }

  async #store(plain: Uint8Array, records: number, stretches: readonly Stretch[]): Promise<void> {
    if (stretches.length === 0) return;
    const { archive, builder } = this.#options;
    const wanted = stretches.values();
    let stretch = wanted.next().value;
    let at = 0;
    for (const record of readRecords(plain, records)) {
      if (stretch && at >= stretch.first + stretch.count) stretch = wanted.next().value;
      if (stretch && at >= stretch.first && !builder.append(record)) {
        await archive.append(builder.take());
        builder.append(record);
      }
      at += 1;
    }
  }

  async #flush(): Promise<void> {
    const { archive, builder } = this.#options;
    if (builder.records > 0) await archive.append(builder.take());
  }
}
