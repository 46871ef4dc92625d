import { createHash } from "node:crypto";
import type { FrameRange, VolumeEntry } from "../domain/manifest.ts";
import { readRecords } from "../domain/record.ts";

/** A segment that was stored, and what tells whether it is the same when it is read again. */
export interface VolumeSegment extends FrameRange {
  /** As `queueFolder` makes it. */
  readonly folder: string;
  /** Place of its first record among the records of the queue. */
  readonly first: number;
  readonly records: number;
  readonly plainBytes: number;
  /** Of the stored frames. */
  readonly sha256: string;
  /** See `segmentIdentity`. */
  readonly identity: string;
}

/** A volume that is at every target already. */
export interface ShippedVolume extends VolumeEntry {
  /** That of its name. */
  readonly number: number;
  readonly segments: readonly VolumeSegment[];
}

/** The offsets of a stream's messages, 8 bytes each; empty for other queues. To be had before the segment's memory is handed on. */
export function streamOffsets(segment: Uint8Array, records: number): Uint8Array {
  const offsets: bigint[] = [];
  for (const { streamOffset } of readRecords(segment, records)) {
    if (streamOffset === undefined) return new Uint8Array();
    offsets.push(BigInt(streamOffset));
  }
  return new Uint8Array(BigUint64Array.from(offsets).buffer);
}

/**
 * Alike for two readings of the same messages. The bytes of a segment are not: brokers set flags and sort headers at every delivery.
 * Fingerprints do not say where in a stream a message is, so the offsets are in it too.
 */
export function segmentIdentity(fingerprints: Uint8Array, offsets: Uint8Array): string {
  return createHash("sha256").update(fingerprints).update(offsets).digest("hex");
}

/** Segments an interrupted run has shipped, and which of them were taken over. */
export class ShippedSegments {
  readonly #volumes: readonly ShippedVolume[];
  readonly #byPlace = new Map<string, { readonly volume: number; readonly segment: VolumeSegment }>();
  readonly #taken = new Map<number, { segments: number; bytes: number }>();

  /** `volumes`: by ascending number. Of two segments for one place the later counts: by name it hides the other when all are unpacked. */
  constructor(volumes: readonly ShippedVolume[]) {
    this.#volumes = volumes;
    for (const { number, segments } of volumes) {
      for (const segment of segments)
        this.#byPlace.set(placeKey(segment.folder, segment.first), { volume: number, segment });
    }
  }

  /** One that may be the same as what was read for this place; `take` it when its identity is the same. */
  at(
    folder: string,
    first: number,
    { records, plainBytes }: { readonly records: number; readonly plainBytes: number },
  ): { readonly volume: number; readonly segment: VolumeSegment } | null {
    const found = this.#byPlace.get(placeKey(folder, first));
    if (found?.segment.records !== records || found.segment.plainBytes !== plainBytes) return null;
    return found;
  }

  take({ volume, segment }: { readonly volume: number; readonly segment: VolumeSegment }): void {
    const taken = this.#taken.get(volume) ?? { segments: 0, bytes: 0 };
    this.#taken.set(volume, { segments: taken.segments + 1, bytes: taken.bytes + segment.length });
  }

  /** Volumes something was taken from. */
  used(): readonly ShippedVolume[] {
    return this.#volumes.filter(({ number }) => this.#taken.has(number));
  }

  /** Segments taken. */
  get count(): number {
    return [...this.#taken.values()].reduce((sum, { segments }) => sum + segments, 0);
  }

  /** Bytes of segments in the volumes used that were not taken. */
  get unusedBytes(): number {
    const held = this.used().flatMap(({ segments }) => segments.map(({ length }) => length));
    const all = held.reduce((sum, bytes) => sum + bytes, 0);
    return [...this.#taken.values()].reduce((sum, { bytes }) => sum - bytes, all);
  }
}

function placeKey(folder: string, first: number): string {
  return `${first} ${folder}`;
}
