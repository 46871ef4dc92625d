import type { Manifest, ManifestFrame, QueueOutcome } from "./manifest.ts";

/** What a listing knows of a backup: what does not grow with its queues. */
export interface BackupOutline extends ManifestFrame {
  /** In alphabetical order. */
  readonly vhosts: readonly string[];
  /** How many queues came out so. */
  readonly queues: Readonly<Record<QueueOutcome, number>>;
}

export function outlineOf(manifest: Manifest): BackupOutline {
  const {
    queues,
    definitions: _,
    volumes: _volumes,
    index: _index,
    needs: _needs,
    sealed: _sealed,
    stored: _stored,
    ...frame
  } = manifest;
  const count = (wanted: QueueOutcome): number => queues.filter(({ outcome }) => outcome === wanted).length;
  return {
    ...frame,
    vhosts: [...new Set(queues.map(({ vhost }) => vhost))].toSorted(),
    queues: { complete: count("complete"), partial: count("partial"), skipped: count("skipped") },
  };
}
