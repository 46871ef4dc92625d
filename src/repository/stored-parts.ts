import type {
  DefinitionsEntry,
  FrameRange,
  IndexEntry,
  Manifest,
  QueueEntry,
  SegmentEntry,
} from "../domain/manifest.ts";
import { describeQueue } from "../domain/queue.ts";

/** Something a stored file holds, and where in the file. */
export type StoredPart = FrameRange & (StoredSegmentPart | StoredDefinitions | StoredFingerprints);

interface StoredSegmentPart {
  readonly kind: "segment";
  readonly queue: QueueEntry;
  /** 1-based within the queue. */
  readonly number: number;
  readonly entry: SegmentEntry;
}

interface StoredDefinitions {
  readonly kind: "definitions";
  readonly queue: null;
  readonly number: null;
  readonly entry: DefinitionsEntry;
}

interface StoredFingerprints {
  readonly kind: "fingerprints";
  readonly queue: QueueEntry;
  readonly number: null;
  readonly entry: IndexEntry;
}

/** For each volume what it holds, by ascending offset. */
export function volumeParts({ volumes, definitions, queues }: Manifest): readonly (readonly StoredPart[])[] {
  const parts: StoredPart[][] = volumes.map(() => []);
  for (const entry of definitions) {
    parts[entry.volume - 1]?.push({
      kind: "definitions",
      queue: null,
      number: null,
      entry,
      ...rangeOf(entry),
    });
  }
  for (const queue of queues) {
    for (const [at, entry] of queue.segments.entries()) {
      parts[entry.volume - 1]?.push({ kind: "segment", queue, number: at + 1, entry, ...rangeOf(entry) });
    }
  }
  return parts.map(ascending);
}

/** What the index holds, by ascending offset. */
export function indexParts({ queues }: Manifest): readonly StoredPart[] {
  return ascending(
    queues.flatMap((queue) =>
      queue.index.map((entry) => ({
        kind: "fingerprints" as const,
        queue,
        number: null,
        entry,
        ...rangeOf(entry),
      })),
    ),
  );
}

/** "segment 3 of queue orders in virtual host /" */
export function describePart(part: StoredPart): string {
  switch (part.kind) {
    case "segment":
      return `segment ${part.number} of ${describeQueue(part.queue)}`;
    case "definitions":
      return `the definitions of virtual host ${part.entry.vhost}`;
    case "fingerprints":
      return `the fingerprints of ${describeQueue(part.queue)}`;
  }
}

function rangeOf({ offset, length }: FrameRange): FrameRange {
  return { offset, length };
}

function ascending(parts: readonly StoredPart[]): readonly StoredPart[] {
  return parts.toSorted((a, b) => a.offset - b.offset);
}
