import { storedMessages, type ContentRange, type IndexEntry, type SegmentEntry } from "../domain/manifest.ts";
import type { QueueArchive } from "../repository/queue-archive.ts";
import type { BuiltSegment } from "../repository/segment-builder.ts";

/** Where the messages of one queue go while it is read. */
export interface QueueIntake {
  /** The next messages. Resolves when more may come. Rejects with the failure of any before. */
  append(segment: BuiltSegment): Promise<void>;
  /** Resolves when all are stored. */
  finish(): Promise<QueueContent>;
}

export interface QueueContent {
  readonly content: readonly ContentRange[];
  readonly segments: readonly SegmentEntry[];
  readonly index: readonly IndexEntry[];
}

/** Stores every message. `kept`: what comes before them and lies elsewhere. */
export function wholeIntake(archive: QueueArchive, kept: readonly ContentRange[] = []): QueueIntake {
  return {
    append: async (segment) => archive.append(segment),
    finish: async () => {
      const { segments, index } = await archive.finish();
      const count = storedMessages({ segments });
      const content: ContentRange[] = count === 0 ? [...kept] : [...kept, { kind: "new", first: 0, count }];
      return { content, segments, index };
    },
  };
}
