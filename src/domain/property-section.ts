import { BackupError } from "./errors.ts";
import {
  MALFORMED,
  compareEntries,
  countAt,
  entryEnd,
  hasKey,
  shortstrEnd,
  sizedEnd,
  u32At,
} from "./field-table.ts";
import {
  PROPERTIES,
  clearFlag,
  flagsOf,
  listStart,
  propertyEnd,
  type PropertyName,
} from "./property-layout.ts";

/**
 * A property section is what follows the body size in a content header: property flags and property list (AMQP 0-9-1, 4.2.6.1).
 * Everything here splices its bytes; nothing is decoded and encoded again. A section that cannot be parsed is left as it is, unless
 * said otherwise. No section given is changed.
 */
export interface StrippedSection {
  /** The section itself when there was nothing to remove. */
  readonly properties: Uint8Array;
  /** null: the header was not there, or held no count (an integer from 0 to 2^53 - 1). */
  readonly deliveryCount: number | null;
  readonly acquiredCount: number | null;
  readonly streamOffset: number | null;
}

const encoder = new TextEncoder();
const DELIVERY_COUNT = encoder.encode("x-delivery-count");
const ACQUIRED_COUNT = encoder.encode("x-acquired-count");
const STREAM_OFFSET = encoder.encode("x-stream-offset");
const HEADERS_MASK = 0x2000;

interface Annotation {
  readonly key: Uint8Array;
  readonly at: number;
  readonly end: number;
}

/**
 * Removes the headers a broker adds to a delivery (`x-delivery-count`, `x-acquired-count`, `x-stream-offset`) whatever their type,
 * and tells their values, the greatest where a header is there more than once. A header table that is then empty, or was, is removed
 * with its flag.
 */
export function stripAnnotations(section: Uint8Array): StrippedSection {
  const table = headersAt(section);
  if (table === MALFORMED) return untouched(section);
  const first = table + 4;
  const end = first + u32At(section, table);
  let annotations: Annotation[] | null = null;
  for (let at = first; at < end;) {
    const next = entryEnd(section, at, end);
    if (next === MALFORMED) return untouched(section);
    const key = annotationKey(section, at);
    if (key !== null) (annotations ??= []).push({ key, at, end: next });
    at = next;
  }
  if (annotations === null)
    return end === first ? untouched(withoutHeaders(section, table, end)) : untouched(section);
  return {
    properties: withoutEntries(section, table, end, annotations),
    deliveryCount: greatest(section, annotations, DELIVERY_COUNT),
    acquiredCount: greatest(section, annotations, ACQUIRED_COUNT),
    streamOffset: greatest(section, annotations, STREAM_OFFSET),
  };
}

/**
 * The form fingerprints are taken of: header entries sorted (see `compareEntries`), an empty header table removed with its flag, every
 * other byte as it was. Brokers reorder headers between two deliveries of one message. The section itself when it is in this form.
 */
export function canonicalSection(section: Uint8Array): Uint8Array {
  const table = headersAt(section);
  if (table === MALFORMED) return section;
  const first = table + 4;
  const end = first + u32At(section, table);
  if (end === first) return withoutHeaders(section, table, end);
  let sorted = true;
  for (let at = first, previous = first; at < end;) {
    const next = entryEnd(section, at, end);
    if (next === MALFORMED) return section;
    sorted &&= at === first || compareEntries(section, previous, at, at, next) <= 0;
    previous = at;
    at = next;
  }
  return sorted ? section : withSortedEntries(section, first, end);
}

/** The section without these properties; itself when it has none of them. Throws ARCHIVE_DAMAGED when it cannot be parsed that far. */
export function withoutProperties(
  section: Uint8Array,
  names: Partial<Readonly<Record<PropertyName, boolean>>>,
): Uint8Array {
  const flags = flagsOf(section);
  const doomed: { mask: number; at: number; end: number }[] = [];
  let at = parsed(listStart(section));
  for (const { name, kind, mask } of PROPERTIES) {
    if ((flags & mask) === 0) continue;
    const end = parsed(propertyEnd(section, at, kind));
    if (names[name] === true) doomed.push({ mask, at, end });
    at = end;
  }
  if (doomed.length === 0) return section;
  const kept = withoutRanges(section, doomed);
  for (const { mask } of doomed) clearFlag(kept, mask);
  return kept;
}

/** The section without the headers of these names; itself when it has none of them. Throws ARCHIVE_DAMAGED when it cannot be parsed. */
export function withoutHeadersNamed(section: Uint8Array, names: readonly string[]): Uint8Array {
  if ((flagsOf(section) & HEADERS_MASK) === 0) return section;
  const keys = names.map((name) => encoder.encode(name));
  const table = parsed(headersAt(section));
  const end = table + 4 + u32At(section, table);
  const doomed: { at: number; end: number }[] = [];
  for (let at = table + 4; at < end;) {
    const next = parsed(entryEnd(section, at, end));
    if (keys.some((key) => hasKey(section, at, key))) doomed.push({ at, end: next });
    at = next;
  }
  return doomed.length === 0 ? section : withoutEntries(section, table, end, doomed);
}

/** True when the header table has this key; also when the table cannot be parsed, so that nobody relies on its absence. */
export function hasHeader(section: Uint8Array, name: string): boolean {
  if ((flagsOf(section) & HEADERS_MASK) === 0) return false;
  const table = headersAt(section);
  if (table === MALFORMED) return true;
  const key = encoder.encode(name);
  const end = table + 4 + u32At(section, table);
  for (let at = table + 4; at < end;) {
    const next = entryEnd(section, at, end);
    if (next === MALFORMED || hasKey(section, at, key)) return true;
    at = next;
  }
  return false;
}

/** Where the header table (its u32 length) begins; MALFORMED when there is none or it reaches past the end. */
function headersAt(section: Uint8Array): number {
  const flags = flagsOf(section);
  if ((flags & HEADERS_MASK) === 0) return MALFORMED;
  let at = listStart(section);
  if ((flags & 0x8000) !== 0 && at !== MALFORMED) at = shortstrEnd(section, at, section.length);
  if ((flags & 0x4000) !== 0 && at !== MALFORMED) at = shortstrEnd(section, at, section.length);
  return at === MALFORMED || sizedEnd(section, at, section.length) === MALFORMED ? MALFORMED : at;
}

function annotationKey(section: Uint8Array, at: number): Uint8Array | null {
  const length = section[at];
  if (length !== 15 && length !== 16) return null;
  if (hasKey(section, at, DELIVERY_COUNT)) return DELIVERY_COUNT;
  if (hasKey(section, at, ACQUIRED_COUNT)) return ACQUIRED_COUNT;
  return hasKey(section, at, STREAM_OFFSET) ? STREAM_OFFSET : null;
}

function greatest(section: Uint8Array, annotations: readonly Annotation[], key: Uint8Array): number | null {
  let found: number | null = null;
  for (const annotation of annotations) {
    if (annotation.key !== key) continue;
    const count = countAt(section, annotation.at + 1 + key.length);
    if (count !== null && (found === null || count > found)) found = count;
  }
  return found;
}

function withoutEntries(
  section: Uint8Array,
  table: number,
  end: number,
  entries: readonly Pick<Annotation, "at" | "end">[],
): Uint8Array {
  const kept = withoutRanges(section, entries);
  const tableBytes = end - table - 4 - (section.length - kept.length);
  if (tableBytes === 0) return withoutHeaders(kept, table, table + 4);
  new DataView(kept.buffer).setUint32(table, tableBytes);
  return kept;
}

function withoutHeaders(section: Uint8Array, table: number, end: number): Uint8Array {
  const kept = withoutRanges(section, [{ at: table, end }]);
  clearFlag(kept, HEADERS_MASK);
  return kept;
}

/** A copy without these ranges, which ascend and do not overlap. */
function withoutRanges(
  section: Uint8Array,
  ranges: readonly { readonly at: number; readonly end: number }[],
): Uint8Array<ArrayBuffer> {
  let removed = 0;
  for (const { at, end } of ranges) removed += end - at;
  const kept = new Uint8Array(section.length - removed);
  let from = 0;
  let to = 0;
  for (const { at, end } of ranges) {
    kept.set(section.subarray(from, at), to);
    to += at - from;
    from = end;
  }
  kept.set(section.subarray(from), to);
  return kept;
}

function withSortedEntries(section: Uint8Array, first: number, end: number): Uint8Array {
  const entries: { at: number; end: number }[] = [];
  for (let at = first; at < end;) {
    const next = entryEnd(section, at, end);
    entries.push({ at, end: next });
    at = next;
  }
  entries.sort((a, b) => compareEntries(section, a.at, a.end, b.at, b.end));
  const sorted = new Uint8Array(section);
  let to = first;
  for (const entry of entries) {
    sorted.set(section.subarray(entry.at, entry.end), to);
    to += entry.end - entry.at;
  }
  return sorted;
}

function parsed(at: number): number {
  if (at === MALFORMED)
    throw new BackupError("ARCHIVE_DAMAGED", "the properties of a message cannot be parsed");
  return at;
}

function untouched(properties: Uint8Array): StrippedSection {
  return { properties, deliveryCount: null, acquiredCount: null, streamOffset: null };
}
