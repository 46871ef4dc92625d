import { compareBackupIds, type BackupId } from "../domain/backup-id.ts";
import { hasCode, type BackupError } from "../domain/errors.ts";
import type { Finding } from "../domain/findings.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Store } from "../ports/store.ts";
import {
  BEGUN_NAME,
  MANIFEST_NAME,
  MARK_NAME,
  readFolders,
  type BackupFolder,
} from "../repository/backup-folder.ts";
import { readManifest, resolveBackup } from "../repository/catalog.ts";
import { readRepository } from "../repository/repository-document.ts";
import { verifyBackup, type VerifiedBackup } from "./verify-backup.ts";

export interface VerifyDeps {
  readonly store: Store;
  readonly codec: Pick<SegmentCodec, "open">;
  report?(event: VerifyEvent): void;
}

export interface VerifyRequest {
  /** An id, the beginning of one, or "latest"; null: all backups, and what belongs to none. */
  readonly backup: string | null;
}

export type VerifyEvent =
  | { readonly kind: "backup-opened"; readonly id: BackupId; readonly bytes: number }
  | { readonly kind: "bytes-read"; readonly id: BackupId; readonly bytes: number }
  | { readonly kind: "found"; readonly finding: Finding }
  | { readonly kind: "backup-verified"; readonly backup: VerifiedBackup };

export interface VerifyResult {
  /** Those whose manifest could be read, oldest first. */
  readonly backups: readonly VerifiedBackup[];
  readonly findings: readonly Finding[];
}

/**
 * Reads all that is stored and compares it with what was stored; changes nothing. Memory: a few segments, whatever there is to read.
 * Throws REPOSITORY_MISSING, BACKUP_MISSING, BACKUP_AMBIGUOUS, TARGET_MISSING, and what keeps it from listing; all else is a finding.
 */
export async function verify(
  deps: VerifyDeps,
  request: VerifyRequest,
  signal?: AbortSignal,
): Promise<VerifyResult> {
  const options = signal === undefined ? {} : { signal };
  const findings: Finding[] = [];
  const backups: VerifiedBackup[] = [];
  const found = (finding: Finding): void => {
    findings.push(finding);
    deps.report?.({ kind: "found", finding });
  };

  const folders: BackupFolder[] = [];
  for await (const folder of readFolders(deps.store, options)) folders.push(folder);
  await verifyRepository(deps.store, folders, found, options);
  const wanted = request.backup === null ? null : await resolveBackup(deps.store, request.backup, options);
  for (const folder of folders.toSorted((a, b) => compareBackupIds(a.id, b.id))) {
    if (wanted !== null && folder.id !== wanted) continue;
    if (!folder.committed) {
      found(notCommitted(folder));
      continue;
    }
    const manifest = await readOrFind(deps.store, folder.id, found, options);
    if (manifest === null) continue;
    noteOrphans(manifest, folder, found);
    const bytes = manifest.volumes.reduce((sum, volume) => sum + volume.bytes, manifest.index.bytes);
    deps.report?.({ kind: "backup-opened", id: folder.id, bytes });
    const onBytes = (count: number): void =>
      deps.report?.({ kind: "bytes-read", id: folder.id, bytes: count });
    const backup = await verifyBackup({ ...deps, found, onBytes }, manifest, options);
    backups.push(backup);
    deps.report?.({ kind: "backup-verified", backup });
  }
  return { backups, findings };
}

/** A repository without its document but with backups is damaged; without both it is none. */
async function verifyRepository(
  store: Store,
  folders: readonly BackupFolder[],
  found: (finding: Finding) => void,
  options: { readonly signal?: AbortSignal },
): Promise<void> {
  try {
    await readRepository(store, options);
  } catch (error) {
    if (hasCode(error, "MANIFEST_DAMAGED")) {
      found({ ...NOWHERE, severity: "damage", code: "REPOSITORY_DAMAGED", message: error.message });
    } else if (hasCode(error, "REPOSITORY_MISSING") && folders.some(({ committed }) => committed)) {
      const message = `the document of the repository at ${store.location} is missing`;
      found({ ...NOWHERE, severity: "damage", code: "REPOSITORY_DAMAGED", message });
    } else {
      throw error;
    }
  }
}

/** null: found instead, or gone since the listing. */
async function readOrFind(
  store: Store,
  id: BackupId,
  found: (finding: Finding) => void,
  options: { readonly signal?: AbortSignal },
): Promise<Manifest | null> {
  try {
    return await readManifest(store, id, options);
  } catch (error) {
    const verdict = manifestVerdict(error);
    if (verdict === null) throw error;
    found({ ...NOWHERE, ...verdict, backup: id, file: MANIFEST_NAME });
    return null;
  }
}

function manifestVerdict(error: unknown): Pick<Finding, "severity" | "code" | "message"> | null {
  if (hasCode(error, "MANIFEST_DAMAGED")) {
    return { severity: "damage", code: "MANIFEST_DAMAGED", message: error.message };
  }
  if (hasCode(error, "FORMAT_NEWER")) {
    return { severity: "unverified", code: "FORMAT_NEWER", message: withHint(error) };
  }
  if (hasCode(error, "OBJECT_MISSING")) {
    return {
      severity: "note",
      code: "REMOVED_MEANWHILE",
      message: "it was removed while verify was running",
    };
  }
  if (hasCode(error, "TARGET_FAILED", "TARGET_REFUSED")) {
    return { severity: "unverified", code: "UNREADABLE", message: error.message };
  }
  return null;
}

function withHint({ message, hint }: BackupError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

function notCommitted({ id, objects }: BackupFolder): Finding {
  const bytes = objects.reduce((sum, object) => sum + object.bytes, 0);
  const message = `a backup begun under ${id} was not committed: it is still running, or was interrupted and left ${bytes} bytes`;
  return { ...NOWHERE, severity: "note", code: "NOT_COMMITTED", backup: id, message };
}

function noteOrphans(manifest: Manifest, folder: BackupFolder, found: (finding: Finding) => void): void {
  const named = new Set([
    MANIFEST_NAME,
    MARK_NAME,
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

const NOWHERE = { backup: null, file: null, queue: null, segment: null } as const;
