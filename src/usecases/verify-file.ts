import type { BackupId } from "../domain/backup-id.ts";
import { hasCode } from "../domain/errors.ts";
import type { FindingCode } from "../domain/findings.ts";
import { isSealed, type Manifest, type VolumeEntry } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { backupKey } from "../repository/backup-folder.ts";
import { scanFile } from "../repository/file-scan.ts";
import { indexParts, volumeParts, type StoredPart } from "../repository/stored-parts.ts";
import type { Verdict } from "./verify-verdict.ts";

/** A file of a backup, what it holds, and what is said when it is not there or not as it was. */
export interface StoredFile {
  readonly file: VolumeEntry;
  /** By ascending offset. */
  readonly parts: readonly StoredPart[];
  readonly missing: FindingCode;
  readonly damaged: FindingCode;
  /** Encrypted: its parts cannot be told from one another, they are all whole or all not. */
  readonly sealed: boolean;
}

export interface FileVerdict {
  /** null: it is as it was stored, as far as was looked. */
  readonly verdict: Verdict | null;
  /** How many of its parts, the first so many, are there. */
  readonly seen: number;
}

/** The index first: what is in the volumes is compared with it. */
export function storedFiles(manifest: Manifest): readonly StoredFile[] {
  const parts = volumeParts(manifest);
  const sealed = isSealed(manifest);
  return [
    {
      file: manifest.index,
      parts: indexParts(manifest),
      missing: "INDEX_MISSING",
      damaged: "INDEX_DAMAGED",
      sealed,
    },
    ...manifest.volumes.map((file, at) => ({
      file,
      parts: parts[at] ?? [],
      missing: "VOLUME_MISSING" as const,
      damaged: "VOLUME_DAMAGED" as const,
      sealed,
    })),
  ];
}

/** By its size alone; `bytes` null: it is not there. */
export function judgeSize(stored: StoredFile, bytes: number | null): FileVerdict {
  const { file, parts, missing, damaged, sealed } = stored;
  if (bytes === null) return { verdict: missingFile(file, missing), seen: 0 };
  const message = wrongSize(file, bytes);
  if (sealed) return sealedVerdict(stored, message);
  const seen = parts.filter(({ offset, length }) => offset + length <= bytes).length;
  return { verdict: message === null ? null : { severity: "damage", code: damaged, message }, seen };
}

interface FileScan {
  readonly store: Pick<Store, "get">;
  readonly id: BackupId;
  onBytes(bytes: number): void;
  onPart(part: StoredPart, frames: Uint8Array): Promise<void>;
}

/** Reads it once, from its beginning to its end. Throws what is no matter of this file. */
export async function judgeContent(
  scan: FileScan,
  stored: StoredFile,
  options: Abortable,
): Promise<FileVerdict> {
  const { file, parts, missing, damaged, sealed } = stored;
  let seen = 0;
  try {
    const { bytes, sha256 } = await scanFile(
      {
        store: scan.store,
        key: backupKey(scan.id, file.name),
        limitBytes: file.bytes,
        ranges: sealed ? [] : parts,
        onBytes: (count) => scan.onBytes(count),
        onRange: async (part, frames) => {
          seen += 1;
          await scan.onPart(part, frames);
        },
      },
      options,
    );
    const message =
      wrongSize(file, bytes) ?? (sha256 === file.sha256 ? null : `${file.name} does not match its checksum`);
    if (sealed) return sealedVerdict(stored, message);
    return { verdict: message === null ? null : { severity: "damage", code: damaged, message }, seen };
  } catch (error) {
    return { verdict: failedRead(error, file, missing, damaged), seen };
  }
}

function sealedVerdict({ parts, damaged }: StoredFile, message: string | null): FileVerdict {
  if (message === null) return { verdict: null, seen: parts.length };
  return { verdict: { severity: "damage", code: damaged, message }, seen: 0 };
}

function failedRead(error: unknown, file: VolumeEntry, missing: FindingCode, damaged: FindingCode): Verdict {
  if (hasCode(error, "OBJECT_MISSING")) return missingFile(file, missing);
  if (hasCode(error, "ARCHIVE_DAMAGED")) return { severity: "damage", code: damaged, message: error.message };
  if (!hasCode(error, "TARGET_FAILED", "TARGET_REFUSED")) throw error;
  return { severity: "unverified", code: "UNREADABLE", message: error.message };
}

function missingFile(file: VolumeEntry, code: FindingCode): Verdict {
  return { severity: "damage", code, message: `${file.name} is missing` };
}

function wrongSize(file: VolumeEntry, bytes: number): string | null {
  if (bytes > file.bytes) return `${file.name} has more than the ${file.bytes} bytes that were stored`;
  if (bytes < file.bytes) return `${file.name} has ${bytes} of the ${file.bytes} bytes that were stored`;
  return null;
}
