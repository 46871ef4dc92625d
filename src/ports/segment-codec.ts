/** Records back to back, as one tar entry. */
export interface PlainSegment {
  /** Path in the tar. At most 100 bytes, so that one ustar header holds it. */
  readonly entryName: string;
  /** Unix time of the tar entry, seconds. */
  readonly modifiedAt: number;
  /**
   * The segment (header and records), then zero bytes up to the next multiple of 512: tar's padding.
   * Its memory is handed over: the caller must not touch it afterwards.
   */
  readonly padded: Uint8Array;
  /** Bytes of the segment without the padding. */
  readonly plainBytes: number;
}

export interface SealedSegment {
  /** zstd frames of the tar header alone; stored directly before `frames`. */
  readonly headerFrames: Uint8Array;
  /** zstd frames of the segment and its padding. */
  readonly frames: Uint8Array;
  /** Of `frames`, hexadecimal. */
  readonly sha256: string;
  /** 16 bytes a record, in order; empty when the segment holds no records (definitions, index). */
  readonly fingerprints: Uint8Array;
  /** Gives the memory of `frames` back for the next segment: they must not be looked at afterwards. Need not be called. */
  release(): void;
}

/** A segment that is not stored yet, padded as `PlainSegment` is. */
export type RawSegment = Pick<PlainSegment, "padded" | "plainBytes">;

export interface FingerprintedSegment {
  readonly padded: Uint8Array;
  /** 16 bytes a record, in order. */
  readonly fingerprints: Uint8Array;
}

/** Turns segments into stored frames and back; the heavy work, possibly on other threads. Disposing ends the threads. */
export interface SegmentCodec extends AsyncDisposable {
  /** Memory for a segment that is to be sealed, exactly so large; it may hold what a segment before it held. */
  memory(bytes: number): Uint8Array;
  /** Records inside: fingerprints are taken. At most `parallel` calls make progress at once; more wait. */
  sealRecords(segment: PlainSegment): Promise<SealedSegment>;
  /**
   * Fingerprints alone. The memory of `segment` is handed over and comes back, as another view of the same bytes: to be sealed, or
   * given back with `recycle`. Throws ARCHIVE_DAMAGED.
   */
  fingerprint(segment: RawSegment): Promise<FingerprintedSegment>;
  /** Any other tar entry: no fingerprints. */
  sealEntry(segment: PlainSegment): Promise<SealedSegment>;
  /**
   * Checks `sha256` first, then decompresses exactly `plainBytes` plus tar padding; anything else (other sums, other lengths,
   * absurd sizes in the frames) is ARCHIVE_DAMAGED. Gives the segment without its padding.
   */
  open(
    frames: Uint8Array,
    expected: { readonly sha256: string; readonly plainBytes: number },
  ): Promise<Uint8Array>;
  /** Gives the memory of what `open` or `fingerprint` gave back, for what comes next: it must not be looked at afterwards. Need not be called. */
  recycle(opened: Uint8Array): void;
}
