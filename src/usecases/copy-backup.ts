import type { BackupId } from "../domain/backup-id.ts";
import type { CopyStep, LeaveReason } from "../domain/copy-plan.ts";
import { hasCode, type BackupError } from "../domain/errors.ts";
import type { VolumeEntry } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { putCopiedManifest, reserveCopy } from "../repository/backup-copy.ts";
import { backupKey, committedIds } from "../repository/backup-folder.ts";
import { readStoredManifest } from "../repository/manifest-reader.ts";
import { checkedBytes } from "../repository/checked-bytes.ts";
import { sealOf } from "../repository/sealed-document.ts";
import { requireFiles } from "../repository/stored-check.ts";
import { putMark } from "../repository/marks.ts";
import type { CopyDeps, CopyOutcome, SourceBackup } from "./copy-types.ts";
import { isRunAtWork } from "./orphans.ts";
import type { Held } from "./with-lease.ts";

/** What of the source fails one backup, and not the whole copy. */
const SOURCE_FAULTS = [
  "OBJECT_MISSING",
  "ARCHIVE_DAMAGED",
  "MANIFEST_DAMAGED",
  "TARGET_FAILED",
  "TARGET_REFUSED",
] as const;

interface Copying {
  readonly deps: CopyDeps;
  readonly destination: Store;
  readonly held: Held;
}

/**
 * Carries out one step: files first, each as it was stored or not at all, then the manifest, then the mark. Broken off anywhere it
 * leaves what no manifest names, and the next copy goes on from there. Throws what is no matter of this backup alone.
 */
export async function copyBackup(copying: Copying, step: CopyStep<SourceBackup>): Promise<CopyOutcome> {
  const { deps, destination, held } = copying;
  const { source, files, manifest, mark } = step;
  const { id } = source;
  let bytes = 0;
  const left = (reason: LeaveReason): CopyOutcome => ({ step, bytes, done: false, left: reason });
  if (step.reason !== null) return left(step.reason);
  if (manifest === "put") {
    const taken = await reserve(copying, source);
    if (taken !== null) return left(taken);
  }
  const expected = files.reduce((sum, { file }) => sum + file.bytes, 0);
  const { location } = destination;
  if (step.action !== "none") deps.report({ kind: "copy-begun", location, id, bytes: expected });
  for (const { file } of files) {
    const fault = await copyFile(copying, id, file);
    if (fault !== null) return left(await sourceFault(deps.source, id, fault, held));
    bytes += file.bytes;
  }
  const put = new Map(files.map(({ file }) => [file.name, file.bytes]));
  if (put.size > 0) await requireFiles(destination, id, put, held);
  if (manifest !== null) {
    const reason = await copyManifest(copying, source, manifest === "replace");
    if (reason !== null) return left(reason);
  }
  if (mark) await putMark(destination, id, deps.now(), held);
  return { step, bytes, done: true, left: null };
}

/** null: the id is ours, at the destination, until the manifest is there. */
async function reserve(
  { deps, destination, held }: Copying,
  { id, set, startedAt }: SourceBackup,
): Promise<LeaveReason | null> {
  const reserved = await reserveCopy(destination, id, startedAt, held);
  if (reserved === "committed") return { kind: "other-backup" };
  if (reserved === "mine") return null;
  // Somebody else's, and of this set nobody is at work: either a run of another set is, or it was left behind.
  const options = { signal: held.signal, exceptSet: set };
  return (await isRunAtWork(destination, deps.now(), options)) ? { kind: "at-work" } : null;
}

/** What was wrong with the source; null: the file is at the destination. */
async function copyFile(
  { deps, destination, held }: Copying,
  id: BackupId,
  file: VolumeEntry,
): Promise<BackupError | null> {
  const { source } = deps;
  const key = backupKey(id, file.name);
  const { location } = destination;
  let fault: BackupError | null = null;
  async function* open(): AsyncGenerator<Uint8Array> {
    fault = null;
    try {
      for await (const part of checkedBytes(source, key, file, { signal: held.signal })) {
        deps.report({ kind: "bytes-copied", location, id, bytes: part.length });
        yield part;
      }
    } catch (error) {
      if (hasCode(error, ...SOURCE_FAULTS)) fault = error;
      throw error;
    }
  }
  try {
    await destination.put(key, { bytes: file.bytes, open }, { signal: held.signal });
    return null;
  } catch (error) {
    if (fault !== null) return fault;
    throw error;
  }
}

async function copyManifest(
  { deps, destination, held }: Copying,
  { id, seal }: SourceBackup,
  replace: boolean,
): Promise<LeaveReason | null> {
  const bytes = await manifestBytes(deps.source, id, held);
  if (!(bytes instanceof Uint8Array)) return sourceFault(deps.source, id, bytes, held);
  if (sealOf(bytes) !== seal) return { kind: "removed" };
  await held.assertHeld();
  // Once it is there the backup exists: no signal breaks it off.
  return (await putCopiedManifest(destination, id, bytes, { replace })) ? null : { kind: "other-backup" };
}

async function manifestBytes(
  source: Store,
  id: BackupId,
  options: Abortable,
): Promise<Uint8Array | BackupError> {
  try {
    return (await readStoredManifest(source, id, options)).bytes;
  } catch (error) {
    if (hasCode(error, ...SOURCE_FAULTS)) return error;
    throw error;
  }
}

/** Who removes a backup removes its manifest first. */
async function sourceFault(
  source: Store,
  id: BackupId,
  fault: BackupError,
  options: Abortable,
): Promise<LeaveReason> {
  if (hasCode(fault, "OBJECT_MISSING") && !(await committedIds(source, options)).includes(id))
    return { kind: "removed" };
  const damaged = !hasCode(fault, "TARGET_FAILED", "TARGET_REFUSED");
  return { kind: "source", damaged, message: fault.message };
}
