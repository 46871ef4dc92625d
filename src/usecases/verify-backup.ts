import { parseBackupId, type BackupId } from "../domain/backup-id.ts";
import { hasCode } from "../domain/errors.ts";
import type { Finding, FindingCode } from "../domain/findings.ts";
import type { Manifest, QueueEntry, VolumeEntry } from "../domain/manifest.ts";
import { describeQueue } from "../domain/queue.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { ArchiveSource } from "../repository/archive-reader.ts";
import { backupKey, MANIFEST_NAME } from "../repository/backup-folder.ts";
import { decodeDefinitions } from "../repository/definitions-codec.ts";
import { scanFile } from "../repository/file-scan.ts";
import { readObjectOrNull } from "../repository/objects.ts";
import { describePart, indexParts, volumeParts, type StoredPart } from "../repository/stored-parts.ts";
import { verifyKept } from "./verify-kept.ts";
import { VerifiedIndex, verifySegment } from "./verify-segment.ts";

export interface BackupCheck extends ArchiveSource {
  found(finding: Finding): void;
  /** Bytes read since the last call. */
  onBytes(bytes: number): void;
}

/** What was looked at, and how much of it is not as it should be. */
export interface VerifiedBackup {
  readonly id: BackupId;
  readonly segments: number;
  readonly messages: number;
  readonly storedBytes: number;
  /** Findings that are more than a note. */
  readonly problems: number;
}

/** Reads every file of a backup once and checks all that is in it. */
export async function verifyBackup(
  check: BackupCheck,
  manifest: Manifest,
  options: Abortable,
): Promise<VerifiedBackup> {
  return new BackupVerification(check, manifest, options).run();
}

type Verdict = Pick<Finding, "severity" | "code" | "message">;

const PART_DAMAGED: Readonly<Record<StoredPart["kind"], FindingCode>> = {
  segment: "SEGMENT_DAMAGED",
  definitions: "DEFINITIONS_DAMAGED",
  fingerprints: "INDEX_DAMAGED",
};

class BackupVerification {
  readonly #check: BackupCheck;
  readonly #manifest: Manifest;
  readonly #options: Abortable;
  readonly #id: BackupId;
  readonly #index: VerifiedIndex;
  /** By queue: bytes of the bodies seen. */
  readonly #bodyBytes = new Map<QueueEntry, number>();
  /** Queues of which a part was not seen: they are not counted. */
  readonly #incomplete = new Set<QueueEntry>();
  #segments = 0;
  #messages = 0;
  #problems = 0;

  constructor(check: BackupCheck, manifest: Manifest, options: Abortable) {
    this.#check = check;
    this.#manifest = manifest;
    this.#options = options;
    this.#id = parseBackupId(manifest.id);
    this.#index = new VerifiedIndex(check, manifest, options);
  }

  async run(): Promise<VerifiedBackup> {
    const { index, volumes } = this.#manifest;
    let there = await this.#verifyFile(index, indexParts(this.#manifest), "INDEX_MISSING", "INDEX_DAMAGED");
    const parts = volumeParts(this.#manifest);
    for (const [at, volume] of volumes.entries()) {
      if (!there) break;
      there = await this.#verifyFile(volume, parts[at] ?? [], "VOLUME_MISSING", "VOLUME_DAMAGED");
    }
    if (there) {
      await verifyKept(this.#check.store, this.#manifest, (finding) => this.#find(finding), this.#options);
      this.#verifyTotals();
    }
    return {
      id: this.#id,
      segments: this.#segments,
      messages: this.#messages,
      storedBytes: volumes.reduce((sum, { bytes }) => sum + bytes, index.bytes),
      problems: this.#problems,
    };
  }

  /** False: the whole backup was removed meanwhile. */
  async #verifyFile(
    file: VolumeEntry,
    parts: readonly StoredPart[],
    missing: FindingCode,
    damaged: FindingCode,
  ): Promise<boolean> {
    let seen = 0;
    let verdict: Verdict | null;
    try {
      verdict = await this.#scan(file, parts, damaged, () => (seen += 1));
    } catch (error) {
      verdict = failedRead(error, file, missing, damaged);
      if (verdict === null) throw error;
      if (verdict.code === missing && (await this.#isRemoved())) return false;
    }
    if (verdict === null) return true;
    this.#find({ ...this.#at(file, null), ...verdict });
    for (const part of parts.slice(seen)) {
      this.#giveUp(part);
      const code = verdict.severity === "damage" ? PART_DAMAGED[part.kind] : "UNREADABLE";
      const message = `${describePart(part)} cannot be had: ${verdict.message}`;
      this.#find({ ...this.#at(file, part), severity: verdict.severity, code, message });
    }
    return true;
  }

  async #scan(
    file: VolumeEntry,
    parts: readonly StoredPart[],
    damaged: FindingCode,
    onPart: () => void,
  ): Promise<Verdict | null> {
    const { bytes, sha256 } = await scanFile(
      {
        store: this.#check.store,
        key: backupKey(this.#id, file.name),
        limitBytes: file.bytes,
        ranges: parts,
        onBytes: (count) => this.#check.onBytes(count),
        onRange: async (part, frames) => {
          onPart();
          await this.#verifyPart(file, part, frames);
        },
      },
      this.#options,
    );
    const message = wrongWith(file, bytes, sha256);
    return message === null ? null : { severity: "damage", code: damaged, message };
  }

  async #verifyPart(file: VolumeEntry, part: StoredPart, frames: Uint8Array): Promise<void> {
    const where = this.#at(file, part);
    try {
      const verdict = await this.#look(part, frames);
      if (verdict !== null) this.#find({ ...where, ...verdict });
    } catch (error) {
      this.#giveUp(part);
      const name = describePart(part);
      if (hasCode(error, "ARCHIVE_DAMAGED", "OBJECT_MISSING")) {
        const message = `${name} is damaged: ${error.message}`;
        this.#find({ ...where, severity: "damage", code: PART_DAMAGED[part.kind], message });
      } else if (hasCode(error, "FORMAT_NEWER", "TARGET_FAILED", "TARGET_REFUSED")) {
        const code = error.code === "FORMAT_NEWER" ? "FORMAT_NEWER" : "UNREADABLE";
        this.#find({ ...where, severity: "unverified", code, message: `${name}: ${error.message}` });
      } else {
        throw error;
      }
    }
  }

  async #look(part: StoredPart, frames: Uint8Array): Promise<Verdict | null> {
    const { codec } = this.#check;
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

  #giveUp(part: StoredPart): void {
    if (part.kind === "fingerprints") this.#index.giveUp(part.entry);
    if (part.kind === "segment") this.#incomplete.add(part.queue);
  }

  /** The manifest has what was counted while reading from the broker; this counts what is in the volumes. */
  #verifyTotals(): void {
    for (const queue of this.#manifest.queues) {
      const { vhost, name } = queue;
      const held = this.#bodyBytes.get(queue) ?? 0;
      const kept = queue.content.some(({ kind }) => kind === "kept");
      if (kept || this.#incomplete.has(queue) || held === queue.bodyBytes) continue;
      const message = `the bodies of ${describeQueue(queue)} have ${held} bytes, the manifest says ${queue.bodyBytes}`;
      const where = { backup: this.#id, file: MANIFEST_NAME, queue: { vhost, name }, segment: null };
      this.#find({ ...where, severity: "damage", code: "TOTALS_DIFFER", message });
    }
  }

  async #isRemoved(): Promise<boolean> {
    const key = backupKey(this.#id, MANIFEST_NAME);
    if ((await readObjectOrNull(this.#check.store, key, this.#options)) !== null) return false;
    const message = `backup ${this.#id} was removed while verify was running`;
    const where = { backup: this.#id, file: null, queue: null, segment: null };
    this.#find({ ...where, severity: "note", code: "REMOVED_MEANWHILE", message });
    return true;
  }

  #at(file: VolumeEntry, part: StoredPart | null): Pick<Finding, "backup" | "file" | "queue" | "segment"> {
    const queue = part?.queue ?? null;
    return {
      backup: this.#id,
      file: file.name,
      queue: queue === null ? null : { vhost: queue.vhost, name: queue.name },
      segment: part?.number ?? null,
    };
  }

  #find(finding: Finding): void {
    if (finding.severity !== "note") this.#problems += 1;
    this.#check.found(finding);
  }
}

/** null: not a matter of this file. */
function failedRead(
  error: unknown,
  file: VolumeEntry,
  missing: FindingCode,
  damaged: FindingCode,
): Verdict | null {
  if (hasCode(error, "OBJECT_MISSING")) {
    return { severity: "damage", code: missing, message: `${file.name} is missing` };
  }
  if (hasCode(error, "ARCHIVE_DAMAGED")) return { severity: "damage", code: damaged, message: error.message };
  if (!hasCode(error, "TARGET_FAILED", "TARGET_REFUSED")) return null;
  return { severity: "unverified", code: "UNREADABLE", message: error.message };
}

function wrongWith(file: VolumeEntry, bytes: number, sha256: string): string | null {
  if (bytes > file.bytes) return `${file.name} has more than the ${file.bytes} bytes that were stored`;
  if (bytes < file.bytes) return `${file.name} has ${bytes} of the ${file.bytes} bytes that were stored`;
  return sha256 === file.sha256 ? null : `${file.name} does not match its checksum`;
}
