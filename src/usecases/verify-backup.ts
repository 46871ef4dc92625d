import { parseBackupId, type BackupId } from "../domain/backup-id.ts";
import type { Finding } from "../domain/findings.ts";
import { storedBytesOf, type Manifest } from "../domain/manifest.ts";
import type { VerifyLevel } from "../domain/verify-level.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import type { ArchiveSource } from "../repository/archive-reader.ts";
import type { ManifestOf } from "../repository/backup-references.ts";
import { BackupFindings } from "./backup-findings.ts";
import type { LostSegments } from "./lost-segments.ts";
import type { NeededFiles } from "./needed-files.ts";
import { verifyNeeded } from "./verify-needed.ts";
import { verifyOwnFiles } from "./verify-own-files.ts";
import { RecordsVerification } from "./verify-records.ts";
import { verifyReferences } from "./verify-references.ts";

export interface BackupCheck extends ArchiveSource {
  readonly store: Pick<Store, "get" | "list">;
  readonly level: VerifyLevel;
  /** Of all backups of this run. */
  readonly lost: LostSegments;
  readonly manifestOf: ManifestOf;
  /** Sample: whether the next segment is looked at. */
  takes(): boolean;
  found(finding: Finding): void;
  /** Bytes read since the last call. */
  onBytes(bytes: number): void;
}

export interface BackupToVerify {
  readonly manifest: Manifest;
  /** Sizes of the files in its folder, by name. */
  readonly sizes: ReadonlyMap<string, number>;
  /** What of other backups is looked at with it; null: they are verified themselves, before this one. */
  readonly needed: readonly NeededFiles[] | null;
}

/** What was looked at, and how much of it is not as it should be. */
export interface VerifiedBackup {
  readonly id: BackupId;
  /** Looked at to the last record, with those of others when it was verified alone. */
  readonly segments: number;
  readonly messages: number;
  /** How many segments there are to be looked at. */
  readonly ofSegments: number;
  /** Of its own files. */
  readonly storedBytes: number;
  /** Of stored files, its own and those of others. */
  readonly readBytes: number;
  /** Findings that are more than a note. */
  readonly problems: number;
}

/** Looks at one backup as deep as the level says: its files, and what it leaves to others to hold. */
export async function verifyBackup(
  check: BackupCheck,
  { manifest, sizes, needed }: BackupToVerify,
  options: Abortable,
): Promise<VerifiedBackup> {
  const findings = new BackupFindings(check.lost, (finding) => check.found(finding));
  const found = (finding: Finding): void => findings.add(finding);
  let readBytes = 0;
  const onBytes = (bytes: number): void => {
    readBytes += bytes;
    check.onBytes(bytes);
  };
  const looked: RecordsVerification[] = [];
  const recordsOf = (of: Manifest): RecordsVerification => {
    const records = new RecordsVerification(check, of, found, options);
    looked.push(records);
    return records;
  };
  const records = recordsOf(manifest);
  if (await verifyOwnFiles({ ...check, records, findings, onBytes }, manifest, sizes, options)) {
    for (const each of needed ?? []) {
      await verifyNeeded({ ...check, records: recordsOf(each.holder), findings, onBytes }, each, options);
    }
    await verifyReferences({ ...check, found }, manifest);
    if (check.level.kind === "records") records.verifyTotals();
  }
  return {
    id: parseBackupId(manifest.id),
    segments: looked.reduce((sum, { seen }) => sum + seen.segments, 0),
    messages: looked.reduce((sum, { seen }) => sum + seen.messages, 0),
    ofSegments: segmentsToVerify(manifest, needed ?? []),
    storedBytes: storedBytesOf(manifest),
    readBytes,
    problems: findings.problems,
  };
}

/** Of the backup, and of others with it. */
export function segmentsToVerify({ queues }: Manifest, needed: readonly NeededFiles[]): number {
  const own = queues.reduce((sum, { segments }) => sum + segments.length, 0);
  const parts = needed.flatMap(({ files }) => files.flatMap((file) => file.parts));
  return own + parts.filter(({ kind }) => kind === "segment").length;
}
