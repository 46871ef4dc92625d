import { BackupError } from "./errors.ts";
import { byteAt, u32At } from "./field-table.ts";
import { canonicalSection } from "./property-section.ts";
import type { MessageRecord } from "./message.ts";

/** The bytes of segments and records are laid down in RECORD.md. */
const SEGMENT_VERSION = 1;
export const SEGMENT_HEADER_BYTES = 8;
export const FINGERPRINT_BYTES = 16;

const MAGIC = 0x4d514252;
const REDELIVERED = 0x01;
const HAS_STREAM_OFFSET = 0x02;
const LENGTH_BYTES = 4;
/** Flags, two empty short strings, lengths of properties and body. */
const LEAST_LENGTH = 1 + 1 + 1 + 4 + 4;
const U32 = 0x1_0000_0000;

/** Offsets of a record's parts within its segment. */
interface RecordLayout {
  readonly flags: number;
  readonly exchange: number;
  readonly routingKey: number;
  /** Of the u32 before the properties. */
  readonly properties: number;
  /** Of the u32 before the body, which reaches to `end`. */
  readonly body: number;
  readonly end: number;
}

/** Throws INTERNAL for what no record can hold: it cannot have come from a broker. */
export function recordBytes(record: MessageRecord): number {
  const { exchange, routingKey, streamOffset, properties, body } = record;
  const length =
    LEAST_LENGTH +
    (streamOffset === undefined ? 0 : 8) +
    exchange.length +
    routingKey.length +
    properties.length +
    body.length;
  if (exchange.length > 255 || routingKey.length > 255 || length >= U32) {
    throw new BackupError(
      "INTERNAL",
      "a message has an exchange, routing key or body longer than AMQP allows",
    );
  }
  return LENGTH_BYTES + length;
}

/** Writes at `at`, `recordBytes(record)` bytes, and gives the offset behind. `view` lies over `target`. */
export function writeRecord(record: MessageRecord, target: Uint8Array, view: DataView, at: number): number {
  const { exchange, routingKey, streamOffset, properties, body } = record;
  let to = at + LENGTH_BYTES;
  target[to++] =
    (record.redelivered ? REDELIVERED : 0) | (streamOffset === undefined ? 0 : HAS_STREAM_OFFSET);
  if (streamOffset !== undefined) {
    view.setBigUint64(to, BigInt(streamOffset));
    to += 8;
  }
  target[to++] = exchange.length;
  target.set(exchange, to);
  to += exchange.length;
  target[to++] = routingKey.length;
  target.set(routingKey, to);
  to += routingKey.length;
  view.setUint32(to, properties.length);
  target.set(properties, to + 4);
  to += 4 + properties.length;
  view.setUint32(to, body.length);
  target.set(body, to + 4);
  to += 4 + body.length;
  view.setUint32(at, to - at - LENGTH_BYTES);
  return to;
}

/** Writes the header at the start of a segment and gives the offset behind. */
export function writeSegmentHeader(view: DataView): number {
  view.setUint32(0, MAGIC);
  view.setUint16(4, SEGMENT_VERSION);
  view.setUint16(6, 0);
  return SEGMENT_HEADER_BYTES;
}

/**
 * The records of a segment, which must be exactly `expected` many; their bytes are views of `segment`.
 * Throws ARCHIVE_DAMAGED where the bytes are not a segment, are cut short or have too many records; FORMAT_NEWER.
 */
export function* readRecords(
  segment: Uint8Array,
  expected: number,
): Generator<MessageRecord, void, undefined> {
  let records = 0;
  for (const layout of layouts(segment)) {
    records += 1;
    if (records > expected) break;
    yield recordAt(segment, layout);
  }
  checkCount(records, expected);
}

/** Looks at every record of a segment and gives none. Throws as `readRecords`. */
export function checkRecords(segment: Uint8Array, expected: number): void {
  let records = 0;
  const all = layouts(segment);
  while (records <= expected && all.next().done !== true) records += 1;
  checkCount(records, expected);
}

function checkCount(records: number, expected: number): void {
  if (records === expected) return;
  throw damaged(
    `a segment should hold ${expected} records but holds ${records < expected ? records : "more"}`,
  );
}

/**
 * For each record in order, what its fingerprint is taken of: pieces to be hashed one after another. One piece, a view of `segment`,
 * when the properties are stored in canonical form. Throws as `readRecords`.
 */
export function* fingerprintInputs(segment: Uint8Array): Generator<readonly Uint8Array[], void, undefined> {
  for (const { exchange, properties, body, end } of layouts(segment)) {
    const stored = segment.subarray(properties + 4, body);
    const canonical = canonicalSection(stored);
    if (canonical === stored) {
      yield [segment.subarray(exchange, end)];
    } else {
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, canonical.length);
      yield [segment.subarray(exchange, properties), length, canonical, segment.subarray(body, end)];
    }
  }
}

function* layouts(segment: Uint8Array): Generator<RecordLayout, void, undefined> {
  checkHeader(segment);
  for (let at = SEGMENT_HEADER_BYTES; at < segment.length;) {
    const layout = layoutAt(segment, at);
    yield layout;
    at = layout.end;
  }
}

function checkHeader(segment: Uint8Array): void {
  if (segment.length < SEGMENT_HEADER_BYTES || u32At(segment, 0) !== MAGIC) {
    throw damaged("a segment does not begin with its magic");
  }
  const version = u32At(segment, 4) >>> 16;
  if (version > SEGMENT_VERSION) {
    throw new BackupError("FORMAT_NEWER", `a segment has version ${version}`, {
      hint: "Use the version of mqbackup that made this backup, or a newer one.",
    });
  }
  if (u32At(segment, 4) !== SEGMENT_VERSION << 16)
    throw damaged("a segment has a header that no version has");
}

/** Checks every length before it is used. */
function layoutAt(segment: Uint8Array, at: number): RecordLayout {
  const start = at + LENGTH_BYTES;
  const length = start <= segment.length ? u32At(segment, at) : 0;
  const end = start + length;
  if (end > segment.length) throw damaged(`the record at byte ${at} of a segment is cut short`);
  const flags = byteAt(segment, start);
  const exchange = start + 1 + ((flags & HAS_STREAM_OFFSET) === 0 ? 0 : 8);
  const routingKey = exchange + 1 + byteAt(segment, exchange);
  const properties = routingKey + 1 + byteAt(segment, routingKey);
  // Each part must leave room for the fixed bytes of those behind it.
  const propertiesFit = properties + 8 <= end && u32At(segment, properties) <= end - properties - 8;
  const body = propertiesFit ? properties + 4 + u32At(segment, properties) : end;
  if (
    !propertiesFit ||
    u32At(segment, body) !== end - body - 4 ||
    (flags & ~(REDELIVERED | HAS_STREAM_OFFSET)) !== 0
  ) {
    throw damaged(`the record at byte ${at} of a segment does not parse`);
  }
  if ((flags & HAS_STREAM_OFFSET) !== 0) streamOffsetAt(segment, exchange - 8);
  return { flags, exchange, routingKey, properties, body, end };
}

function recordAt(segment: Uint8Array, layout: RecordLayout): MessageRecord {
  const { flags, exchange, routingKey, properties, body, end } = layout;
  const record = {
    redelivered: (flags & REDELIVERED) !== 0,
    exchange: segment.subarray(exchange + 1, routingKey),
    routingKey: segment.subarray(routingKey + 1, properties),
    properties: segment.subarray(properties + 4, body),
    body: segment.subarray(body + 4, end),
  };
  return (flags & HAS_STREAM_OFFSET) === 0
    ? record
    : { ...record, streamOffset: streamOffsetAt(segment, exchange - 8) };
}

function streamOffsetAt(segment: Uint8Array, at: number): number {
  const offset = u32At(segment, at) * U32 + u32At(segment, at + 4);
  if (!Number.isSafeInteger(offset)) throw damaged("a record has a stream offset beyond 2^53 - 1");
  return offset;
}

function damaged(message: string): BackupError {
  return new BackupError("ARCHIVE_DAMAGED", message);
}
