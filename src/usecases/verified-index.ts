import { hasCode, type BackupError } from "../domain/errors.ts";
import type { IndexEntry, Manifest } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import { readFingerprints, type ArchiveSource } from "../repository/archive-reader.ts";

/** Entries kept in memory: about as many as queues were read at once, 1 MiB each. */
const KEPT_ENTRIES = 16;

/** The fingerprints of one backup while its segments pass by. */
export class VerifiedIndex {
  readonly #source: ArchiveSource;
  readonly #manifest: Manifest;
  readonly #options: Abortable;
  readonly #onBroken: (entry: IndexEntry, error: BackupError) => void;
  readonly #broken = new Set<IndexEntry>();
  readonly #kept = new Map<IndexEntry, Uint8Array>();

  /** `onBroken` is told once of an entry that is damaged or not there, unless it was given up before. */
  constructor(
    source: ArchiveSource,
    manifest: Manifest,
    onBroken: (entry: IndexEntry, error: BackupError) => void,
    options: Abortable,
  ) {
    this.#source = source;
    this.#manifest = manifest;
    this.#onBroken = onBroken;
    this.#options = options;
  }

  /** It was found damaged, and said so: nothing is compared with it. */
  giveUp(entry: IndexEntry): void {
    this.#broken.add(entry);
  }

  /** null: given up. Throws what keeps it from being looked at. */
  async read(entry: IndexEntry): Promise<Uint8Array | null> {
    if (this.#broken.has(entry)) return null;
    const kept = this.#kept.get(entry);
    if (kept !== undefined) return kept;
    const fingerprints = await this.#fetch(entry);
    if (fingerprints === null) return null;
    this.#kept.set(entry, fingerprints);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_ENTRIES && oldest !== undefined) this.#kept.delete(oldest);
    return fingerprints;
  }

  async #fetch(entry: IndexEntry): Promise<Uint8Array | null> {
    try {
      return await readFingerprints(this.#source, this.#manifest, entry, this.#options);
    } catch (error) {
      if (!hasCode(error, "ARCHIVE_DAMAGED", "OBJECT_MISSING")) throw error;
      this.giveUp(entry);
      this.#onBroken(entry, error);
      return null;
    }
  }
}
