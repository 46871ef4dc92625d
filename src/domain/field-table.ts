/**
 * Walking AMQP field tables as they are on the wire, with the type tags RabbitMQ uses (they differ from the specification's; see
 * https://www.rabbitmq.com/amqp-0-9-1-errata). Nothing is decoded that need not be. Offsets count from the start of `bytes`.
 */

/** Where the bytes do not parse: an unknown type tag, or a length that reaches past the end. */
export const MALFORMED = -1;

const UNKNOWN = 255;
const SIZED = 254;

/** Bytes after each type tag; SIZED: a u32, then as many bytes as it says. */
const WIDTHS = new Uint8Array(256).fill(UNKNOWN);
for (const [tags, width] of [
  ["V", 0],
  ["tbB", 1],
  ["su", 2],
  ["Iif", 4],
  ["D", 5],
  ["lLdT", 8],
  ["SxAF", SIZED],
] as const) {
  for (const tag of tags) WIDTHS[tag.charCodeAt(0)] = width;
}

/** The byte at `at`; 0 behind the end. */
export function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

/** Reads a big-endian u32. The caller has checked that it is there. */
export function u32At(bytes: Uint8Array, at: number): number {
  return (
    ((byteAt(bytes, at) << 24) |
      (byteAt(bytes, at + 1) << 16) |
      (byteAt(bytes, at + 2) << 8) |
      byteAt(bytes, at + 3)) >>>
    0
  );
}

/** End of a u32 length and as many bytes; MALFORMED past `limit`. */
export function sizedEnd(bytes: Uint8Array, at: number, limit: number): number {
  if (at + 4 > limit) return MALFORMED;
  const end = at + 4 + u32At(bytes, at);
  return end > limit ? MALFORMED : end;
}

/** End of a u8 length and as many bytes; MALFORMED past `limit`. */
export function shortstrEnd(bytes: Uint8Array, at: number, limit: number): number {
  if (at >= limit) return MALFORMED;
  const end = at + 1 + byteAt(bytes, at);
  return end > limit ? MALFORMED : end;
}

/** End of the field value whose type tag is at `at`; MALFORMED past `limit`. Does not look inside arrays and tables. */
export function valueEnd(bytes: Uint8Array, at: number, limit: number): number {
  if (at >= limit) return MALFORMED;
  const width = byteAt(WIDTHS, byteAt(bytes, at));
  if (width === SIZED) return sizedEnd(bytes, at + 1, limit);
  const end = at + 1 + width;
  return width === UNKNOWN || end > limit ? MALFORMED : end;
}

/** End of the table entry (key and value) that begins at `at`; MALFORMED past `limit`. */
export function entryEnd(bytes: Uint8Array, at: number, limit: number): number {
  const keyEnd = shortstrEnd(bytes, at, limit);
  return keyEnd === MALFORMED ? MALFORMED : valueEnd(bytes, keyEnd, limit);
}

/** True when the entry at `at` has exactly this key. */
export function hasKey(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  if (byteAt(bytes, at) !== key.length) return false;
  for (let i = 0; i < key.length; i++) if (bytes[at + 1 + i] !== key[i]) return false;
  return true;
}

/**
 * Order of the entries [a, aEnd) and [b, bEnd): by the bytes of their keys, then of their type tags and values. A run of bytes comes
 * before a longer one it begins. It is the order in which RabbitMQ 4 delivers headers, so most tables are in it already.
 */
export function compareEntries(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): number {
  const aValue = a + 1 + byteAt(bytes, a);
  const bValue = b + 1 + byteAt(bytes, b);
  return compareRuns(bytes, a + 1, aValue, b + 1, bValue) || compareRuns(bytes, aValue, aEnd, bValue, bEnd);
}

/** The value whose tag is at `at` as a number, whatever integer type it has; null: no integer, negative, or beyond 2^53 - 1. */
export function countAt(bytes: Uint8Array, at: number): number | null {
  const value = integerAt(bytes, at);
  return value === null || value < 0 || !Number.isSafeInteger(value) ? null : value;
}

/** Whole as far as 2^53 - 1; nearly so beyond. By hand: this runs for every delivery a quorum queue makes again. */
function integerAt(bytes: Uint8Array, at: number): number | null {
  const first = at + 1;
  switch (byteAt(bytes, at)) {
    case 0x62: // b
      return (byteAt(bytes, first) << 24) >> 24;
    case 0x42: // B
      return byteAt(bytes, first);
    case 0x73: // s
      return ((byteAt(bytes, first) << 24) >> 16) | byteAt(bytes, first + 1);
    case 0x75: // u
      return (byteAt(bytes, first) << 8) | byteAt(bytes, first + 1);
    case 0x49: // I
      return u32At(bytes, first) | 0;
    case 0x69: // i
      return u32At(bytes, first);
    case 0x6c: // l
      return (u32At(bytes, first) | 0) * 0x1_0000_0000 + u32At(bytes, first + 4);
    case 0x4c: // L
      return u32At(bytes, first) * 0x1_0000_0000 + u32At(bytes, first + 4);
    default:
      return null;
  }
}

function compareRuns(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): number {
  const shared = Math.min(aEnd - a, bEnd - b);
  for (let i = 0; i < shared; i++) {
    const difference = byteAt(bytes, a + i) - byteAt(bytes, b + i);
    if (difference !== 0) return difference;
  }
  return aEnd - a - (bEnd - b);
}
