import { isBackupId, chainOf, kindOf } from "../domain/backup-id.ts";
import {
  isSealed,
  type FrameRange,
  type Manifest,
  type QueueEntry,
  type VolumeEntry,
} from "../domain/manifest.ts";
import { keptFrom } from "../domain/holdings.ts";
import { FINGERPRINT_BYTES, SEGMENT_HEADER_BYTES } from "../domain/record.ts";
import { ENCRYPTED, INDEX_NAME, volumeName, volumeNumber } from "./volume.ts";

export interface ManifestFault {
  readonly path: readonly PropertyKey[];
  readonly problem: string;
}

/** Lengths, flags, two empty names, empty property section and body. */
const MIN_RECORD_BYTES = 15;

/** The first thing that does not fit together, or null. Every field alone is valid already. */
export function checkManifest(manifest: Manifest): ManifestFault | null {
  return (
    checkIds(manifest) ??
    checkSeal(manifest) ??
    checkFiles(manifest) ??
    checkQueues(manifest) ??
    checkNeeds(manifest) ??
    checkRanges(manifest)
  );
}

/** What id, kind and base say of one another. */
export function checkIds({
  id,
  kind,
  base,
  compactedFrom,
}: Pick<Manifest, "id" | "kind" | "base" | "compactedFrom">): ManifestFault | null {
  if (!isBackupId(id) || kindOf(id) !== kind) return fault(["kind"], `is ${kind}, but the id is ${id}`);
  if (kind === "full") return base === null ? null : fault(["base"], "a full backup has none");
  if (compactedFrom !== undefined) return fault(["compactedFrom"], "only a full backup is made of another");
  if (base === null || !isBackupId(base)) return fault(["base"], "an incremental backup must have one");
  if (chainOf(base) !== chainOf(id) || base === id)
    return fault(["base"], `${base} is not of the chain of ${id}`);
  return null;
}

/** A name is never taken as a path: only those are accepted that volumes have, each once and in their order. */
function checkFiles(manifest: Manifest): ManifestFault | null {
  const { volumes, index, stored } = manifest;
  const ending = isSealed(manifest) ? ENCRYPTED : "";
  let last = 0;
  for (const [at, { name }] of volumes.entries()) {
    const number = name.endsWith(ending) ? volumeNumber(name.slice(0, name.length - ending.length)) : null;
    if (number === null) return fault(["volumes", at, "name"], "is not that of a volume");
    if (number <= last) return fault(["volumes", at, "name"], `does not come behind ${volumeName(last)}`);
    last = number;
  }
  const expected = `${INDEX_NAME}${ending}`;
  if (index.name !== expected) return fault(["index", "name"], `is not ${expected}`);
  const plain = [...volumes, index];
  const others = stored !== undefined && stored.files.length !== plain.length;
  const at = stored?.files.findIndex(({ name }, nth) => name !== `${plain[nth]?.name}${ENCRYPTED}`) ?? -1;
  return others || at >= 0 ? fault(["stored", "files"], "are not the encrypted ones of its own") : null;
}

/** A manifest is of a backup that is not encrypted, or sealed, or opened. */
function checkSeal({ encryption, sealed, stored }: Manifest): ManifestFault | null {
  if (encryption === undefined) {
    if (sealed !== undefined) return fault(["sealed"], "is of encrypted backups alone");
    return stored === undefined ? null : fault(["stored"], "is of encrypted backups alone");
  }
  if ((sealed === undefined) !== (stored === undefined)) return null;
  return fault(["sealed"], stored === undefined ? "is missing" : "is there though it was opened");
}

function checkQueues({ queues, definitions, kind }: Manifest): ManifestFault | null {
  const ordinals = new Set<number>();
  const addresses = new Set<string>();
  for (const [at, queue] of queues.entries()) {
    const address = JSON.stringify([queue.vhost, queue.name]);
    if (ordinals.has(queue.ordinal)) return fault(["queues", at, "ordinal"], "is there twice");
    if (addresses.has(address)) return fault(["queues", at, "name"], "is there twice");
    ordinals.add(queue.ordinal);
    addresses.add(address);
    const problem = checkContent(queue, kind === "full");
    if (problem !== null) return { ...problem, path: ["queues", at, ...problem.path] };
  }
  const vhosts = new Set<string>();
  for (const [at, { vhost }] of definitions.entries()) {
    if (vhosts.has(vhost)) return fault(["definitions", at, "vhost"], "is there twice");
    vhosts.add(vhost);
  }
  return null;
}

/** Where references are noted, none is left out and none is there twice. */
function checkNeeds(manifest: Manifest): ManifestFault | null {
  const { needs, kind, base } = manifest;
  if (needs === undefined) return null;
  if (kind === "full") return fault(["needs"], "a full backup has none");
  const known = new Set<string>();
  for (const [at, { backup }] of needs.entries()) {
    if (known.has(backup)) return fault(["needs", at, "backup"], "is there twice");
    known.add(backup);
  }
  const wanted = [...(base === null ? [] : [base]), ...keptFrom(manifest).map(({ backup }) => backup)];
  const missing = wanted.find((backup) => !known.has(backup));
  return missing === undefined ? null : fault(["needs"], `backup ${missing} is not among them`);
}

/** Counting must come out the same by segments, by content and by fingerprints. */
function checkContent(queue: QueueEntry, full: boolean): ManifestFault | null {
  let held = 0;
  for (const [at, segment] of queue.segments.entries()) {
    if (segment.first !== held) return fault(["segments", at, "first"], `is not ${held}`);
    if (segment.plainBytes < SEGMENT_HEADER_BYTES + segment.records * MIN_RECORD_BYTES) {
      return fault(
        ["segments", at, "records"],
        `${segment.records} do not fit in ${segment.plainBytes} bytes`,
      );
    }
    held += segment.records;
  }
  let messages = 0;
  let taken = 0;
  for (const [at, range] of queue.content.entries()) {
    messages += range.count;
    if (range.kind === "kept") {
      if (full) return fault(["content", at, "kind"], "a full backup holds all its records itself");
      continue;
    }
    if (range.first !== taken) return fault(["content", at, "first"], `is not ${taken}`);
    taken += range.count;
  }
  if (taken !== held) return fault(["content"], `takes ${taken} of the ${held} records in the segments`);
  if (messages !== queue.messages) return fault(["messages"], `is not the ${messages} of the content`);
  return checkFingerprints(queue, held);
}

function checkFingerprints(queue: QueueEntry, held: number): ManifestFault | null {
  let fingerprints = 0;
  for (const [at, entry] of queue.index.entries()) {
    if (entry.plainBytes !== entry.records * FINGERPRINT_BYTES) {
      return fault(["index", at, "plainBytes"], `is not ${FINGERPRINT_BYTES} for each of ${entry.records}`);
    }
    fingerprints += entry.records;
  }
  if (fingerprints === held) return null;
  return fault(["index"], `has ${fingerprints} fingerprints for ${held} records`);
}

interface PlacedRange extends FrameRange {
  readonly path: readonly PropertyKey[];
}

/** Ranges lie within their file and apart from one another. */
function checkRanges(manifest: Manifest): ManifestFault | null {
  const byVolume: PlacedRange[][] = manifest.volumes.map(() => []);
  const inIndex: PlacedRange[] = [];
  const place = (volume: number, range: PlacedRange): ManifestFault | null => {
    const ranges = byVolume[volume - 1];
    if (ranges === undefined) return fault([...range.path, "volume"], `there is no volume ${volume}`);
    ranges.push(range);
    return null;
  };
  for (const [at, { volume, offset, length }] of manifest.definitions.entries()) {
    const problem = place(volume, { offset, length, path: ["definitions", at] });
    if (problem !== null) return problem;
  }
  for (const [at, queue] of manifest.queues.entries()) {
    for (const [nth, { volume, offset, length }] of queue.segments.entries()) {
      const problem = place(volume, { offset, length, path: ["queues", at, "segments", nth] });
      if (problem !== null) return problem;
    }
    for (const [nth, { offset, length }] of queue.index.entries()) {
      inIndex.push({ offset, length, path: ["queues", at, "index", nth] });
    }
  }
  for (const [at, file] of manifest.volumes.entries()) {
    const problem = checkApart(byVolume[at] ?? [], file);
    if (problem !== null) return problem;
  }
  return checkApart(inIndex, manifest.index);
}

function checkApart(ranges: PlacedRange[], file: VolumeEntry): ManifestFault | null {
  let end = 0;
  for (const range of ranges.toSorted((a, b) => a.offset - b.offset)) {
    if (range.offset < end) return fault([...range.path, "offset"], `overlaps another range of ${file.name}`);
    end = range.offset + range.length;
    if (end > file.bytes) return fault([...range.path, "length"], `reaches past the end of ${file.name}`);
  }
  return null;
}

function fault(path: readonly PropertyKey[], problem: string): ManifestFault {
  return { path, problem };
}
