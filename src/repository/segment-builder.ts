import { Buffer } from "node:buffer";
import { BackupError } from "../domain/errors.ts";
import { SEGMENT_HEADER_BYTES, recordBytes, writeRecord, writeSegmentHeader } from "../domain/record.ts";
import type { MessageRecord } from "../domain/message.ts";

/** Segments are padded to blocks of this size with zero bytes, as tar entries are. */
const BLOCK_BYTES = 512;

/** A segment and its padding in memory of its own, which may be transferred to another thread. */
export interface BuiltSegment {
  readonly padded: Uint8Array<ArrayBuffer>;
  /** Bytes of the segment without the padding. */
  readonly plainBytes: number;
  readonly records: number;
}

/** Copies records back to back until a segment is full. Memory is taken at the first record and handed over by `take`. */
export class SegmentBuilder {
  readonly #limitBytes: number;
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  #view = new DataView(new ArrayBuffer(0));
  #plainBytes = 0;
  #records = 0;

  /** `limitBytes`: of a segment with its header. A record beyond it gets a segment of its own. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
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

  #open(firstRecordBytes: number): Uint8Array<ArrayBuffer> {
    const capacity = paddedBytes(Math.max(this.#limitBytes, SEGMENT_HEADER_BYTES + firstRecordBytes));
    // Not zeroed: every byte handed over is written, by a record or as padding.
    const { buffer } = Buffer.allocUnsafeSlow(capacity);
    this.#buffer = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#plainBytes = writeSegmentHeader(this.#view);
    return this.#buffer;
  }
}

function paddedBytes(plainBytes: number): number {
  return Math.ceil(plainBytes / BLOCK_BYTES) * BLOCK_BYTES;
}
