import type { QueueAddress, QueueType, MessageCounts } from "./queue.ts";

/** The format this version writes, and the newest it reads. */
export const FORMAT = 1;

export type BackupKind = "full" | "incremental";

/** The document that makes a backup exist. Times are ISO 8601 in UTC; sizes are bytes; durations milliseconds. */
export interface Manifest {
  readonly format: number;
  readonly tool: { readonly name: string; readonly version: string };
  readonly id: string;
  readonly kind: BackupKind;
  /** The backup this one builds on; null for a full. */
  readonly base: string | null;
  /** Of a full that was made of another backup's messages, without reading the broker: that other backup. */
  readonly compactedFrom?: string;
  /** Its files are encrypted. Absent: they are not. */
  readonly encryption?: ManifestEncryption;
  readonly set: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** True: messages were removed from the queues after this manifest was committed. */
  readonly drain: boolean;
  readonly broker: ManifestBroker;
  readonly queues: readonly QueueEntry[];
  readonly definitions: readonly DefinitionsEntry[];
  readonly volumes: readonly VolumeEntry[];
  readonly index: IndexFile;
  /** Of an incremental: its base, and every backup it keeps messages of. Absent: it was made by a version that did not note them. */
  readonly needs?: readonly BackupReference[];
  /** Of an encrypted backup as it is stored: what is private of it, encrypted; base64. Of an opened one absent. */
  readonly sealed?: string;
  /** Of an encrypted backup that was opened, which is never stored: what it is at the target. */
  readonly stored?: StoredForm;
  readonly measures: Measures;
}

export interface ManifestEncryption {
  /** True: as stored, queues and virtual hosts have other names, and what could tell them is left out. */
  readonly namesHidden: boolean;
}

/**
 * Of an opened manifest `volumes` and `index` are the plain files, and queues have their names; of a sealed one they are the encrypted
 * files, and checksums of parts are zeros.
 */
export interface StoredForm {
  /** The encrypted files: volumes, then the index. */
  readonly files: readonly VolumeEntry[];
  /** What the sealed manifest ends with. */
  readonly sha256: string;
}

/** True: what is private of it is not to be had. */
export function isSealed({ encryption, stored }: Pick<Manifest, "encryption" | "stored">): boolean {
  return encryption !== undefined && stored === undefined;
}

/** Another backup, and no other that may come to lie in its place. */
export interface BackupReference {
  readonly backup: string;
  /** Of its manifest as it is stored: what that ends with. */
  readonly sha256: string;
}

/** Its files as they lie at a target. */
export function storedFilesOf({
  volumes,
  index,
  stored,
}: Pick<Manifest, "volumes" | "index" | "stored">): readonly VolumeEntry[] {
  return stored?.files ?? [...volumes, index];
}

/** Bytes of its files, manifest not counted. */
export function storedBytesOf(manifest: Pick<Manifest, "volumes" | "index" | "stored">): number {
  return storedFilesOf(manifest).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** A manifest without what grows with the number of queues and their messages. */
export type ManifestFrame = Omit<
  Manifest,
  "queues" | "definitions" | "volumes" | "index" | "needs" | "sealed" | "stored"
>;

export interface ManifestBroker {
  readonly product: string;
  readonly version: string;
  readonly clusterName: string | null;
  /** Without credentials. */
  readonly url: string;
  /** False: AMQP only; types and settings were told by the operator, topology is not in the backup. */
  readonly management: boolean;
}

/** complete: all that was ready at the cut. partial: captured with gaps. skipped: not read at all. */
export type QueueOutcome = "complete" | "partial" | "skipped";

export interface QueueEntry extends QueueAddress {
  /** 1-based, unique in this backup; names the queue inside the volumes. */
  readonly ordinal: number;
  readonly type: QueueType;
  readonly durable: boolean | null;
  readonly autoDelete: boolean | null;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly policy: string | null;
  readonly effectivePolicy: Readonly<Record<string, unknown>>;
  readonly outcome: QueueOutcome;
  /** Why it was skipped; null otherwise. */
  readonly skipped: Reason | null;
  /** The reading recipe in words, e.g. "consume, cancel and nack"; null when skipped. */
  readonly strategy: string | null;
  /** Ready messages by passive declare at the cut; null when skipped or for a stream. */
  readonly readyAtCut: number | null;
  readonly before: MessageCounts;
  readonly after: MessageCounts;
  readonly cutAt: string | null;
  readonly readEndAt: string | null;
  readonly releasedAt: string | null;
  readonly holdMs: number | null;
  readonly messages: number;
  /** Bytes of the bodies. */
  readonly bodyBytes: number;
  /** Streams: the first and last offset captured. */
  readonly offsets: { readonly first: number; readonly last: number } | null;
  readonly content: readonly ContentRange[];
  readonly segments: readonly SegmentEntry[];
  /** Where the index file has the fingerprints of this queue's own records, those of `segments`, in their order; kept ones have theirs where they are held. */
  readonly index: readonly IndexEntry[];
  readonly gaps: readonly Gap[];
  /** What a reader should know and that is not a loss: costs of the reading, messages at their limit. */
  readonly notes: readonly string[];
}

/** Messages this backup holds itself; the others of the queue are kept by other backups. */
export function storedMessages({ segments }: Pick<QueueEntry, "segments">): number {
  return segments.reduce((sum, { records }) => sum + records, 0);
}

export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

/** Messages wanted but not had. `messages` null: their number is not known. */
export interface Gap {
  readonly code: string;
  readonly message: string;
  readonly messages: number | null;
}

/** Ordered; together they are the queue. `first` counts from 0 within the queue of the backup that holds the records. */
export type ContentRange =
  | { readonly kind: "new"; readonly first: number; readonly count: number }
  | {
      readonly kind: "kept";
      readonly backup: string;
      readonly ordinal: number;
      readonly first: number;
      readonly count: number;
    };

/** Bytes within one stored file. */
export interface FrameRange {
  readonly offset: number;
  readonly length: number;
}

/** zstd frames that decode to one tar entry's body and padding, `plainBytes` of which are the segment. */
export interface SegmentEntry extends FrameRange {
  /** 1-based number of the volume. */
  readonly volume: number;
  readonly records: number;
  /** Sequence of its first record within the queue. */
  readonly first: number;
  readonly plainBytes: number;
  /** Of the stored frames (offset, length), hexadecimal: checked before they are decompressed. */
  readonly sha256: string;
}

/** zstd frames in the index file that decode to `records` fingerprints of 16 bytes each, and padding. */
export interface IndexEntry extends FrameRange {
  readonly records: number;
  readonly plainBytes: number;
  /** Of the stored frames, hexadecimal. */
  readonly sha256: string;
}

export interface DefinitionsEntry extends FrameRange {
  readonly vhost: string;
  readonly volume: number;
  readonly plainBytes: number;
  readonly sha256: string;
}

export interface VolumeEntry {
  /** File name within the backup's folder. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

export type IndexFile = VolumeEntry;

export interface Measures {
  readonly messages: number;
  readonly bodyBytes: number;
  /** Bytes of all segments before compression. */
  readonly plainBytes: number;
  /** Bytes of volumes and index as stored, manifest not counted. */
  readonly storedBytes: number;
  /** Capacity of the target's file system; null where it cannot be told. */
  readonly targetBytes: number | null;
  /** Messages known to the broker at the cut of every queue wanted (ready, in flight, out of reach). */
  readonly knownMessages: number;
  /** Of those, not in this backup. */
  readonly lostMessages: number;
  /** lostMessages / knownMessages, 0 when nothing was known. */
  readonly lossRate: number;
  readonly readMs: number;
  readonly shipMs: number;
  readonly totalMs: number;
  readonly longestHoldMs: number;
}
