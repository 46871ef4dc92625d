import { Buffer } from "node:buffer";
import { BackupError } from "../domain/errors.ts";
import { SEGMENT_HEADER_BYTES, recordBytes, writeRecord, writeSegmentHeader } from "../domain/record.ts";
import type { MessageRecord } from "../domain/message.ts";

/** Segments are padded to blocks of this size with zero bytes, as tar entries are. */
const BLOCK_BYTES = 512;

/** A segment and its padding in memory of its own, to be handed on to a codec. */
export interface BuiltSegment {
  readonly padded: Uint8Array;
  /** Bytes of the segment without the padding. */
  readonly plainBytes: number;
  readonly records: number;
}

/** Copies records back to back until a segment is full. Memory is got at the first record and handed over by `take`. */
export class SegmentBuilder {
  readonly #limitBytes: number;
  readonly #memory: (bytes: number) => Uint8Array;
  #buffer: Uint8Array | null = null;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #plainBytes = 0;
  #records = 0;

  /**
   * `limitBytes`: of a segment with its header. A record beyond it gets a segment of its own.
   * `memory` gives memory of its own, which need not be zeroed.
   */
  constructor(limitBytes: number, memory: (bytes: number) => Uint8Array = newMemory) {
    this.#limitBytes = limitBytes;
    this.#memory = memory;
  }

  /** Records appended since the last `take`. */
  get records(): number {
    return this.#records;
  }

  /** Bytes of the segment so far, header included; 0 while it is empty. */
  get plainBytes(): number {
    return this.#plainBytes;
  }

  /** False: the record does not fit any more; take the segment, then append again. An empty builder takes any record. */
  append(record: MessageRecord): boolean {
    const bytes = recordBytes(record);
    if (this.#records > 0 && this.#plainBytes + bytes > this.#limitBytes) return false;
    const buffer = this.#buffer ?? this.#open(bytes);
    this.#plainBytes = writeRecord(record, buffer, this.#view, this.#plainBytes);
    this.#records += 1;
    return true;
  }

  /** The segment; the builder is empty afterwards. Throws INTERNAL when there are no records. */
  take(): BuiltSegment {
    const buffer = this.#buffer;
    if (buffer === null) throw new BackupError("INTERNAL", "a segment without records was to be taken");
    const plainBytes = this.#plainBytes;
    const padded = buffer.subarray(0, paddedBytes(plainBytes)).fill(0, plainBytes);
    const built = { padded, plainBytes, records: this.#records };
    this.#buffer = null;
    this.#plainBytes = 0;
    this.#records = 0;
    return built;
  }

  #open(firstRecordBytes: number): Uint8Array {
    const capacity = paddedBytes(Math.max(this.#limitBytes, SEGMENT_HEADER_BYTES + firstRecordBytes));
    // Every byte handed over is written, by a record or as padding.
    this.#buffer = this.#memory(capacity);
    this.#view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, capacity);
    this.#plainBytes = writeSegmentHeader(this.#view);
    return this.#buffer;
  }
}

function newMemory(bytes: number): Uint8Array {
  return Buffer.allocUnsafeSlow(bytes);
}

function paddedBytes(plainBytes: number): number {
  return Math.ceil(plainBytes / BLOCK_BYTES) * BLOCK_BYTES;
}
