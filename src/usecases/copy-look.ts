import type { BackupId } from "../domain/backup-id.ts";
import { nothingOf, type CopyPresence, type FileFault } from "../domain/copy-plan.ts";
import { hasCode } from "../domain/errors.ts";
import type { VolumeEntry } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import {
  backupKey,
  KEY_NAME,
  MARK_NAME,
  readFolders,
  type BackupFolder,
} from "../repository/backup-folder.ts";
import { readStoredManifest } from "../repository/manifest-reader.ts";
import { scanFile } from "../repository/file-scan.ts";
import { mapAtOnce } from "./at-once.ts";
import { READ_AT_ONCE } from "./copy-source.ts";
import type { CopyEvent, SourceBackup } from "./copy-types.ts";

/** What is at a destination. */
export interface Look {
  readonly presences: ReadonlyMap<BackupId, CopyPresence>;
  /** All backups that are there. */
  readonly committed: ReadonlySet<BackupId>;
}

interface Looking {
  readonly store: Store;
  /** Also files of backups that are there are read, and not believed for their sizes. */
  readonly checksum: boolean;
  report(event: CopyEvent): void;
}

/**
 * Compares a destination with what should be there. Without a readable manifest nobody has promised anything of the files beside it:
 * these are read in any case.
 */
export async function lookAt(
  looking: Looking,
  sources: readonly SourceBackup[],
  options: Abortable,
): Promise<Look> {
  const folders = new Map<BackupId, BackupFolder>();
  for await (const folder of readFolders(looking.store, options)) folders.set(folder.id, folder);
  const looked = await mapAtOnce(sources, READ_AT_ONCE, async (source) => {
    const folder = folders.get(source.id);
    return { source, folder, manifest: await manifestState(looking.store, source, folder, options) };
  });
  const presences = new Map<BackupId, CopyPresence>();
  for (const { source, folder, manifest } of looked) {
    presences.set(source.id, await presenceOf(looking, source, folder, manifest, options));
  }
  const committed = [...folders.values()].filter((folder) => folder.committed).map(({ id }) => id);
  return { presences, committed: new Set(committed) };
}

async function manifestState(
  store: Store,
  { id, seal }: SourceBackup,
  folder: BackupFolder | undefined,
  options: Abortable,
): Promise<CopyPresence["manifest"]> {
  if (folder?.committed !== true) return "none";
  try {
    return (await readStoredManifest(store, id, options)).seal === seal ? "same" : "other";
  } catch (error) {
    if (hasCode(error, "OBJECT_MISSING")) return "none";
    if (hasCode(error, "MANIFEST_DAMAGED")) return "damaged";
    // It is somebody's backup, if not one that we can read.
    if (hasCode(error, "FORMAT_NEWER")) return "other";
    throw error;
  }
}

async function presenceOf(
  looking: Looking,
  source: SourceBackup,
  folder: BackupFolder | undefined,
  manifest: CopyPresence["manifest"],
  options: Abortable,
): Promise<CopyPresence> {
  if (folder === undefined) return nothingOf(source);
  const marked = folder.objects.some(({ name }) => name === MARK_NAME);
  if (manifest === "other") return { manifest, faults: new Map(), marked };
  const sizes = new Map(folder.objects.map(({ name, bytes }) => [name, bytes]));
  const faults = new Map<string, FileFault>();
  const toRead: VolumeEntry[] = [];
  for (const file of source.files) {
    const bytes = sizes.get(file.name);
    if (bytes === file.bytes) toRead.push(file);
    else faults.set(file.name, bytes === undefined ? "missing" : "damaged");
  }
  const isRead = ({ name }: VolumeEntry): boolean =>
    looking.checksum || manifest !== "same" || name === KEY_NAME;
  const reading = toRead.filter(isRead);
  if (reading.length > 0) {
    for (const [name, fault] of await readFaults(looking, source.id, reading, options))
      faults.set(name, fault);
  }
  // Not one file says that what was there was this backup: it may have been another one.
  const unknown = manifest === "damaged" && faults.size === source.files.length;
  return { manifest: unknown ? "other" : manifest, faults, marked };
}

async function readFaults(
  looking: Looking,
  id: BackupId,
  files: readonly VolumeEntry[],
  options: Abortable,
): Promise<ReadonlyMap<string, FileFault>> {
  const { store } = looking;
  const { location } = store;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  looking.report({ kind: "check-begun", location, id, bytes });
  const onBytes = (count: number): void =>
    looking.report({ kind: "bytes-checked", location, id, bytes: count });
  const faults = new Map<string, FileFault>();
  for (const file of files) {
    const fault = await readFault(store, id, file, onBytes, options);
    if (fault !== null) faults.set(file.name, fault);
  }
  looking.report({ kind: "checked", location, id });
  return faults;
}

async function readFault(
  store: Store,
  id: BackupId,
  file: VolumeEntry,
  onBytes: (bytes: number) => void,
  options: Abortable,
): Promise<FileFault | null> {
  const key = backupKey(id, file.name);
  const nothing = async (): Promise<void> => Promise.resolve();
  try {
    const scan = { store, key, limitBytes: file.bytes, ranges: [], onRange: nothing, onBytes };
    const { bytes, sha256 } = await scanFile(scan, options);
    return bytes === file.bytes && sha256 === file.sha256 ? null : "damaged";
  } catch (error) {
    if (hasCode(error, "OBJECT_MISSING")) return "missing";
    if (hasCode(error, "ARCHIVE_DAMAGED")) return "damaged";
    // As of a bad sector: what cannot be read is replaced, and where nothing can be put that fails.
    if (hasCode(error, "TARGET_FAILED")) return "unreadable";
    throw error;
  }
}
