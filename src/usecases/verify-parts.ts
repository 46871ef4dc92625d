import type { BackupId } from "../domain/backup-id.ts";
import type { VolumeEntry } from "../domain/manifest.ts";
import type { VerifyLevel } from "../domain/verify-level.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { backupKey, folderPrefix } from "../repository/backup-folder.ts";
import { sha256Of } from "../repository/checksum.ts";
import { readObject } from "../repository/objects.ts";
import type { StoredPart } from "../repository/stored-parts.ts";
import type { BackupFindings } from "./backup-findings.ts";
import type { FileVerdict, StoredFile } from "./verify-file.ts";
import type { RecordsVerification } from "./verify-records.ts";
import { damagedPart, failedPart, partOfFile, type Verdict } from "./verify-verdict.ts";

/** What the parts of one backup's files are looked at with. */
export interface PartsCheck {
  readonly store: Pick<Store, "get" | "list">;
  readonly level: VerifyLevel;
  readonly records: RecordsVerification;
  readonly findings: BackupFindings;
  /** Sample: whether the next segment is looked at. */
  takes(): boolean;
  /** Bytes read since the last call. */
  onBytes(bytes: number): void;
}

/** Reads one part and nothing else. null: it is as it should be. */
export async function verifyPart(
  check: PartsCheck,
  id: BackupId,
  file: VolumeEntry,
  part: StoredPart,
  options: Abortable,
): Promise<Verdict | null> {
  const { store, level, records } = check;
  let frames: Uint8Array;
  try {
    const range = { offset: part.offset, length: part.length };
    frames = await readObject(store, backupKey(id, file.name), { ...options, range });
  } catch (error) {
    records.giveUp(part);
    return failedPart(error, part);
  }
  check.onBytes(frames.length);
  return level.kind === "checksums" ? sumVerdict(part, frames) : records.look(part, frames);
}

/** null: it matches. */
export function sumVerdict(part: StoredPart, frames: Uint8Array): Verdict | null {
  if (sha256Of(frames) === part.entry.sha256) return null;
  return damagedPart(part, "it does not match its checksum");
}

/** Finds what is wrong with the file, and with every part of it that is not there for that. */
export function reportFile(
  { records, findings }: PartsCheck,
  id: BackupId,
  { file, parts }: StoredFile,
  { verdict, seen }: FileVerdict,
): void {
  if (verdict === null) return;
  findings.addIn(id, file, null, verdict);
  for (const part of parts.slice(seen)) {
    records.giveUp(part);
    findings.addIn(id, file, part, partOfFile(part, verdict));
  }
}

/** Sizes of the files in a backup's folder, by name. */
export async function listedSizes(
  store: Pick<Store, "list">,
  id: BackupId,
  options: Abortable,
): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  const prefix = folderPrefix(id);
  for await (const { key, bytes } of store.list(prefix, options)) sizes.set(key.slice(prefix.length), bytes);
  return sizes;
}
