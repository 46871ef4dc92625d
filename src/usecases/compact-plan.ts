import { parseBackupId } from "../domain/backup-id.ts";
import type { Manifest, SegmentEntry } from "../domain/manifest.ts";
import type { ManifestOf } from "../repository/backup-references.ts";
import { segmentRuns } from "../repository/content-reader.ts";
import type { CompactRead, CompactResult } from "./compact-types.ts";

interface Reading {
  readonly segments: Set<SegmentEntry>;
  bytes: number;
}

/** What is to be read to make one whole of this backup. Throws as `segmentRuns`. */
export async function compactPlan(
  source: Manifest,
  manifestOf: ManifestOf,
): Promise<Omit<CompactResult, "manifest" | "warnings" | "targets">> {
  const readings = new Map<string, Reading>();
  let wanted = 0;
  for (const queue of source.queues) {
    for await (const { holder, segment, count } of segmentRuns(source, queue, 0, manifestOf)) {
      const reading = readings.get(holder.id) ?? { segments: new Set<SegmentEntry>(), bytes: 0 };
      readings.set(holder.id, reading);
      wanted += (segment.length * count) / segment.records;
      if (reading.segments.has(segment)) continue;
      reading.segments.add(segment);
      reading.bytes += segment.length;
    }
  }
  return {
    source: parseBackupId(source.id),
    reads: [...readings].map(toRead).toSorted((a, b) => (a.backup < b.backup ? -1 : 1)),
    estimatedBytes: Math.ceil(wanted) + indexBytes(source),
    messages: source.measures.messages,
  };
}

function toRead([backup, { segments, bytes }]: readonly [string, Reading]): CompactRead {
  return { backup, segments: segments.size, bytes };
}

/** Fingerprints do not compress. */
function indexBytes({ measures }: Manifest): number {
  return measures.messages * 16;
}
