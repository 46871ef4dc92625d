import type { IndexEntry, Manifest, QueueEntry } from "../domain/manifest.ts";
import { FINGERPRINT_BYTES } from "../domain/record.ts";
import type { Abortable } from "../ports/abortable.ts";
import { readFingerprints, type ArchiveSource } from "./archive-reader.ts";
import type { ManifestOf } from "./backup-references.ts";
import { heldRanges } from "./content-reader.ts";
import { fingerprintRuns } from "./fingerprints.ts";

/** Entries kept in memory, at most 1 MiB each: ranges of several backups alternate. */
const KEPT_ENTRIES = 16;

/**
 * The fingerprints of all messages of a queue in queue order, its own and those it keeps from other backups: pieces of 16 bytes a
 * message. Throws ARCHIVE_DAMAGED, OBJECT_MISSING, and as `manifestOf`.
 */
export async function* contentFingerprints(
  source: ArchiveSource,
  manifest: Manifest,
  queue: QueueEntry,
  manifestOf: ManifestOf,
  options: Abortable = {},
): AsyncGenerator<Uint8Array> {
  const entries = new RecentEntries(source, options);
  for await (const held of heldRanges(manifest, queue, 0, manifestOf)) {
    for (const { entry, skip, count } of fingerprintRuns(held.queue, held.first, held.count)) {
      const fingerprints = await entries.read(held.holder, entry);
      yield fingerprints.subarray(skip * FINGERPRINT_BYTES, (skip + count) * FINGERPRINT_BYTES);
    }
  }
}

/** The same in one piece. */
export async function allFingerprints(
  source: ArchiveSource,
  manifest: Manifest,
  queue: QueueEntry,
  manifestOf: ManifestOf,
  options: Abortable = {},
): Promise<Uint8Array> {
  const all = new Uint8Array(queue.messages * FINGERPRINT_BYTES);
  let at = 0;
  for await (const piece of contentFingerprints(source, manifest, queue, manifestOf, options)) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

class RecentEntries {
  readonly #source: ArchiveSource;
  readonly #options: Abortable;
  /** The one looked at longest ago first. */
  readonly #kept = new Map<IndexEntry, Uint8Array>();

  constructor(source: ArchiveSource, options: Abortable) {
    this.#source = source;
    this.#options = options;
  }

  async read(holder: Manifest, entry: IndexEntry): Promise<Uint8Array> {
    const fingerprints =
      this.#kept.get(entry) ?? (await readFingerprints(this.#source, holder, entry, this.#options));
    this.#kept.delete(entry);
    this.#kept.set(entry, fingerprints);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_ENTRIES && oldest !== undefined) this.#kept.delete(oldest);
    return fingerprints;
  }
}
