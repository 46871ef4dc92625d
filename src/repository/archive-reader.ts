import { parseBackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { Definitions } from "../domain/definitions.ts";
import type { DefinitionsEntry, IndexEntry, Manifest, QueueEntry, SegmentEntry } from "../domain/manifest.ts";
import type { MessageRecord } from "../domain/message.ts";
import { describeQueue } from "../domain/queue.ts";
import { checkRecords, readRecords } from "../domain/record.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Store } from "../ports/store.ts";
import { backupKey } from "./backup-folder.ts";
import { fromAnyCopy } from "./copies.ts";
import { decodeDefinitions } from "./definitions-codec.ts";
import { fingerprintsOf } from "./fingerprints.ts";
import { readObject } from "./objects.ts";

/** Where archives are read from, and what opens them. */
export interface ArchiveSource {
  readonly store: Pick<Store, "get" | "copies">;
  readonly codec: Pick<SegmentCodec, "open">;
}

/** Frames of one entry and what they must be. */
type StoredFrames = Pick<IndexEntry, "offset" | "length" | "plainBytes" | "sha256">;

/**
 * The plain bytes of one segment, for `readRecords`. Reads its own range of the volume and nothing else.
 * Throws ARCHIVE_DAMAGED naming it, OBJECT_MISSING, and as `get`.
 */
export async function readSegment(
  source: ArchiveSource,
  manifest: Manifest,
  queue: QueueEntry,
  segment: SegmentEntry,
  options: Abortable = {},
): Promise<Uint8Array> {
  const { key, name } = placeOf(manifest, queue, segment);
  return readEntry(source, key, segment, name, options);
}

/** The records of one segment, views of its plain bytes. Throws as `readSegment`, and FORMAT_NEWER. */
export async function readSegmentRecords(
  source: ArchiveSource,
  manifest: Manifest,
  queue: QueueEntry,
  segment: SegmentEntry,
  options: Abortable = {},
): Promise<readonly MessageRecord[]> {
  const plain = await readSegment(source, manifest, queue, segment, options);
  try {
    return [...readRecords(plain, segment.records)];
  } catch (error) {
    const { key, name } = placeOf(manifest, queue, segment);
    throw named(error, key, name);
  }
}

/** A segment in which every record has been looked at. */
export interface OpenedSegment {
  /** May be gone through more than once; views of the segment's memory. */
  readonly records: Iterable<MessageRecord>;
  /** 16 bytes for each of the records. */
  readonly fingerprints: () => Uint8Array;
  /** Gives the memory back: nothing of it may be looked at afterwards. Need not be called. */
  readonly release: () => void;
}

/** As `readSegmentRecords`, without taking memory for each record. */
export async function openSegment(
  source: ArchiveSource & { readonly codec: Pick<SegmentCodec, "recycle"> },
  manifest: Manifest,
  queue: QueueEntry,
  segment: SegmentEntry,
  options: Abortable = {},
): Promise<OpenedSegment> {
  const plain = await readSegment(source, manifest, queue, segment, options);
  try {
    checkRecords(plain, segment.records);
  } catch (error) {
    const { key, name } = placeOf(manifest, queue, segment);
    throw named(error, key, name);
  }
  return {
    records: { [Symbol.iterator]: () => readRecords(plain, segment.records) },
    fingerprints: () => fingerprintsOf(plain),
    release: () => source.codec.recycle(plain),
  };
}

function placeOf(manifest: Manifest, queue: QueueEntry, segment: SegmentEntry) {
  const number = queue.segments.indexOf(segment) + 1;
  return {
    key: volumeKey(manifest, segment),
    name: `segment ${number} of ${describeQueue(queue)}`,
  };
}

function volumeKey({ id, volumes }: Manifest, { volume: number }: SegmentEntry | DefinitionsEntry): string {
  const volume = volumes[number - 1];
  if (volume !== undefined) return backupKey(parseBackupId(id), volume.name);
  throw new BackupError("INTERNAL", `backup ${id} has no volume ${number}, and its manifest was not checked`);
}

/** Throws as `readSegment`. */
export async function readDefinitions(
  source: ArchiveSource,
  manifest: Manifest,
  entry: DefinitionsEntry,
  options: Abortable = {},
): Promise<Definitions> {
  const key = volumeKey(manifest, entry);
  const name = `the definitions of virtual host ${entry.vhost}`;
  const definitions = decodeDefinitions(await readEntry(source, key, entry, name, options), name);
  if (definitions.vhost === entry.vhost) return definitions;
  throw new BackupError("ARCHIVE_DAMAGED", `${name} in ${key} are those of ${definitions.vhost}`);
}

/** 16 bytes for each of the entry's records. Throws as `readSegment`. */
export async function readFingerprints(
  source: ArchiveSource,
  manifest: Manifest,
  entry: IndexEntry,
  options: Abortable = {},
): Promise<Uint8Array> {
  const key = backupKey(parseBackupId(manifest.id), manifest.index.name);
  return readEntry(source, key, entry, "fingerprints", options);
}

async function readEntry(
  { store, codec }: ArchiveSource,
  key: string,
  { offset, length, sha256, plainBytes }: StoredFrames,
  name: string,
  options: Abortable,
): Promise<Uint8Array> {
  return fromAnyCopy(store, key, async (copy) => {
    const frames = await readObject(copy, key, { ...options, range: { offset, length } });
    try {
      return await codec.open(frames, { sha256, plainBytes });
    } catch (error) {
      throw named(error, key, name);
    }
  });
}

function named(error: unknown, key: string, name: string): unknown {
  if (!hasCode(error, "ARCHIVE_DAMAGED")) return error;
  return new BackupError("ARCHIVE_DAMAGED", `${name} in ${key} is damaged: ${error.message}`, {
    hint: "mqbackup verify shows all that is damaged; restore from another copy or another backup.",
    cause: error,
  });
}
