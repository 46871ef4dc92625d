import type { BackupId } from "../domain/backup-id.ts";
import { hasCode } from "../domain/errors.ts";
import type { IndexEntry, Manifest, SegmentEntry } from "../domain/manifest.ts";
import type { ManifestOf, StoredManifest } from "../repository/backup-references.ts";
import { segmentRuns } from "../repository/content-reader.ts";
import { fingerprintRuns } from "../repository/fingerprints.ts";
import { storedFiles, type StoredFile } from "./verify-file.ts";

/** What a backup needs of another. */
export interface NeededFiles {
  readonly holder: Manifest;
  /** Those of its files in which there is something needed, with these parts alone. */
  readonly files: readonly StoredFile[];
}

/** What a reference that leads nowhere fails with. */
const UNRESOLVED = [
  "OBJECT_MISSING",
  "MANIFEST_DAMAGED",
  "ARCHIVE_DAMAGED",
  "FORMAT_NEWER",
  "TARGET_FAILED",
  "TARGET_REFUSED",
] as const;

/**
 * The segments of others that a backup keeps messages in, and the fingerprints of these. What cannot be resolved is left out: that is
 * for `verifyReferences` to find.
 */
export async function neededFiles(
  manifest: Manifest,
  manifestOf: ManifestOf,
): Promise<readonly NeededFiles[]> {
  const needed = new Map<Manifest, Set<SegmentEntry | IndexEntry>>();
  const known = new Map<BackupId, Promise<StoredManifest>>();
  const loaded: ManifestOf = async (id, neededBy) => {
    const loading = known.get(id) ?? manifestOf(id, neededBy);
    known.set(id, loading);
    return loading;
  };
  for (const queue of manifest.queues) {
    try {
      for await (const run of segmentRuns(manifest, queue, 0, loaded)) {
        if (run.holder === manifest) continue;
        const entries = needed.get(run.holder) ?? new Set();
        needed.set(run.holder, entries);
        if (entries.has(run.segment)) continue;
        entries.add(run.segment);
        const { first, records } = run.segment;
        for (const { entry } of fingerprintRuns(run.queue, first, records)) entries.add(entry);
      }
    } catch (error) {
      if (!hasCode(error, ...UNRESOLVED)) throw error;
    }
  }
  return [...needed].map(([holder, entries]) => ({
    holder,
    files: storedFiles(holder)
      .map((stored) => ({
        ...stored,
        parts: stored.parts.filter(({ kind, entry }) => kind !== "definitions" && entries.has(entry)),
      }))
      .filter(({ parts }) => parts.length > 0),
  }));
}
