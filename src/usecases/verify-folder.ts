import { hasCode, type BackupError } from "../domain/errors.ts";
import type { Finding } from "../domain/findings.ts";
import type { Manifest } from "../domain/manifest.ts";
import {
  BEGUN_NAME,
  KEY_NAME,
  MANIFEST_NAME,
  MARK_NAME,
  type BackupFolder,
} from "../repository/backup-folder.ts";
import { NOWHERE } from "./verify-verdict.ts";

/** Of a manifest that could not be read, `backup` left to be said; throws what is no matter of it. */
export function manifestVerdict(error: unknown): Finding {
  const where = { ...NOWHERE, file: MANIFEST_NAME };
  if (hasCode(error, "MANIFEST_DAMAGED")) {
    return { ...where, severity: "damage", code: "MANIFEST_DAMAGED", message: error.message };
  }
  if (hasCode(error, "ARCHIVE_DAMAGED")) {
    return { ...where, severity: "damage", code: "KEY_DAMAGED", file: KEY_NAME, message: error.message };
  }
  if (hasCode(error, "FORMAT_NEWER")) {
    return { ...where, severity: "unverified", code: "FORMAT_NEWER", message: withHint(error) };
  }
  if (hasCode(error, "OBJECT_MISSING")) {
    const message = "it was removed while verify was running";
    return { ...where, severity: "note", code: "REMOVED_MEANWHILE", message };
  }
  if (hasCode(error, "TARGET_FAILED", "TARGET_REFUSED")) {
    return { ...where, severity: "unverified", code: "UNREADABLE", message: error.message };
  }
  throw error;
}

function withHint({ message, hint }: BackupError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

export function notCommitted({ id, objects }: BackupFolder): Finding {
  const bytes = objects.reduce((sum, object) => sum + object.bytes, 0);
  const message = `a backup begun under ${id} was not committed: it is still running, or was interrupted and left ${bytes} bytes`;
  return { ...NOWHERE, severity: "note", code: "NOT_COMMITTED", backup: id, message };
}

/** Without its key nobody reads an encrypted backup. What the key is worth shows where it is opened. */
export function findKeyMissing(
  { encryption }: Manifest,
  { id, objects }: BackupFolder,
  found: (finding: Finding) => void,
): void {
  if (encryption === undefined || objects.some(({ name }) => name === KEY_NAME)) return;
  const message = `${KEY_NAME} is missing: without it nobody can read the backup`;
  found({ ...NOWHERE, severity: "damage", code: "KEY_DAMAGED", backup: id, file: KEY_NAME, message });
}

/** Files in the folder of a backup that are no part of it. */
export function findStrays(
  manifest: Manifest,
  folder: BackupFolder,
  found: (finding: Finding) => void,
): void {
  const named = new Set([
    MANIFEST_NAME,
    MARK_NAME,
    ...(manifest.encryption === undefined ? [] : [KEY_NAME]),
    manifest.index.name,
    ...manifest.volumes.map(({ name }) => name),
  ]);
  for (const { name, bytes } of folder.objects) {
    if (named.has(name)) continue;
    const why = name === BEGUN_NAME ? "is left from its beginning" : "belongs to no backup";
    const message = `${name} (${bytes} bytes) ${why}`;
    found({ ...NOWHERE, severity: "note", code: "ORPHAN", backup: folder.id, file: name, message });
  }
}
