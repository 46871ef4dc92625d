import type { IndexEntry, Manifest, QueueEntry } from "../domain/manifest.ts";
import type { Finding } from "../domain/findings.ts";
import { describeQueue } from "../domain/queue.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { ArchiveSource } from "../repository/archive-reader.ts";
import { MANIFEST_NAME } from "../repository/backup-folder.ts";
import { decodeDefinitions } from "../repository/definitions-codec.ts";
import { describePart, indexParts, type StoredPart } from "../repository/stored-parts.ts";
import { VerifiedIndex } from "./verified-index.ts";
import { verifySegment } from "./verify-segment.ts";
import { damagedPart, failedPart, NOWHERE, placeIn, type Verdict } from "./verify-verdict.ts";

/** Looks at parts of one backup to the last record, and counts what it saw. */
export class RecordsVerification {
  readonly #index: VerifiedIndex;
  readonly #source: ArchiveSource;
  readonly #manifest: Manifest;
  readonly #found: (finding: Finding) => void;
  /** By queue: bytes of the bodies seen. */
  readonly #bodyBytes = new Map<QueueEntry, number>();
  /** Queues of which a part was not seen: they are not counted. */
  readonly #incomplete = new Set<QueueEntry>();
  #segments = 0;
  #messages = 0;

  constructor(
    source: ArchiveSource,
    manifest: Manifest,
    found: (finding: Finding) => void,
    options: Abortable,
  ) {
    this.#source = source;
    this.#manifest = manifest;
    this.#found = found;
    this.#index = new VerifiedIndex(
      source,
      manifest,
      (entry, error) => this.#indexBroken(entry, error),
      options,
    );
  }

  /** Segments and messages looked at. */
  get seen(): { readonly segments: number; readonly messages: number } {
    return { segments: this.#segments, messages: this.#messages };
  }

  /** null: it is as it should be. */
  async look(part: StoredPart, frames: Uint8Array): Promise<Verdict | null> {
    try {
      return await this.#look(part, frames);
    } catch (error) {
      this.giveUp(part);
      return failedPart(error, part);
    }
  }

  /** It cannot be had, and that was said. */
  giveUp(part: StoredPart): void {
    if (part.kind === "fingerprints") this.#index.giveUp(part.entry);
    if (part.kind === "segment") this.#incomplete.add(part.queue);
  }

  /** The manifest has what was counted while reading from the broker; this counts what is in the volumes, all of which were seen. */
  verifyTotals(): void {
    for (const queue of this.#manifest.queues) {
      const { vhost, name } = queue;
      const held = this.#bodyBytes.get(queue) ?? 0;
      const kept = queue.content.some(({ kind }) => kind === "kept");
      if (kept || this.#incomplete.has(queue) || held === queue.bodyBytes) continue;
      const message = `the bodies of ${describeQueue(queue)} have ${held} bytes, the manifest says ${queue.bodyBytes}`;
      const where = { ...NOWHERE, backup: this.#manifest.id, file: MANIFEST_NAME, queue: { vhost, name } };
      this.#found({ ...where, severity: "damage", code: "TOTALS_DIFFER", message });
    }
  }

  async #look(part: StoredPart, frames: Uint8Array): Promise<Verdict | null> {
    const { codec } = this.#source;
    if (part.kind === "fingerprints") {
      await codec.open(frames, part.entry);
      return null;
    }
    if (part.kind === "definitions") {
      decodeDefinitions(await codec.open(frames, part.entry), describePart(part));
      return null;
    }
    const { queue, entry } = part;
    const { bodyBytes, differs } = await verifySegment(codec, this.#index, { queue, segment: entry }, frames);
    this.#segments += 1;
    this.#messages += entry.records;
    this.#bodyBytes.set(queue, (this.#bodyBytes.get(queue) ?? 0) + bodyBytes);
    if (differs === null) return null;
    const record = `record ${entry.first + differs} of ${describeQueue(queue)}`;
    const message = `${record} does not have the fingerprint that the index has of it`;
    return { severity: "damage", code: "FINGERPRINTS_DIFFER", message };
  }

  #indexBroken(entry: IndexEntry, error: Error): void {
    const part = indexParts(this.#manifest).find((each) => each.entry === entry);
    if (part === undefined) return;
    const where = placeIn(this.#manifest.id, this.#manifest.index, part);
    this.#found({ ...where, ...damagedPart(part, error.message) });
  }
}
