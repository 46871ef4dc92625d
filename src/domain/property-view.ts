import { MALFORMED, byteAt, entryEnd, valueEnd } from "./field-table.ts";
import { PROPERTIES, flagsOf, listStart, propertyEnd } from "./property-layout.ts";
import type { PropertyName } from "./property-layout.ts";

/** UTF-8 text as a string; other bytes in base64. */
export type TextView = string | { readonly base64: string };

/** Bytes that could not be decoded, hexadecimal. */
export interface Undecoded {
  readonly hex: string;
}

/**
 * A field value with its wire type. `value` by type: void null; bool boolean; integers, timestamp (seconds), float and double a
 * number, or a string where JSON has no such number (beyond 2^53 - 1, NaN, infinities, -0); decimal its digits and how many of them
 * are behind the point; string text; bytes base64; array and table what they hold. `undecodable`: from the type tag on.
 */
export interface TypedValue {
  readonly type: FieldType;
  readonly value:
    | null
    | boolean
    | number
    | TextView
    | Undecoded
    | { readonly digits: number; readonly scale: number }
    | readonly TypedValue[]
    | readonly TypedEntry[];
}

export interface TypedEntry extends TypedValue {
  readonly name: TextView;
}

export type FieldType =
  | "void"
  | "bool"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "float"
  | "double"
  | "decimal"
  | "timestamp"
  | "string"
  | "bytes"
  | "array"
  | "table"
  | "undecodable";

/** The properties of a message for people and JSON. Properties that are not set are absent. Header entries keep their order. */
export type PropertiesView = {
  readonly [name in Exclude<PropertyName, "headers" | "deliveryMode" | "priority" | "timestamp">]?: TextView;
} & {
  readonly headers?: readonly TypedEntry[] | Undecoded;
  readonly deliveryMode?: number;
  readonly priority?: number;
  /** Seconds since 1970; a string beyond 2^53 - 1. */
  readonly timestamp?: number | string;
  /** What is left of the section when a property reaches past its end, or flags announce what AMQP 0-9-1 does not define. */
  readonly undecoded?: Undecoded;
};

/** Deeper nesting is shown as bytes. */
const MAX_DEPTH = 32;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes what can be decoded; never throws, whatever the bytes. */
export function viewProperties(section: Uint8Array): PropertiesView {
  const flags = flagsOf(section);
  const view: { -readonly [name in keyof PropertiesView]: PropertiesView[name] } = {};
  let at = listStart(section);
  if (at === MALFORMED) return { undecoded: undecoded(section, 0, section.length) };
  for (const { name, kind, mask } of PROPERTIES) {
    if ((flags & mask) === 0) continue;
    const end = propertyEnd(section, at, kind);
    if (end === MALFORMED) break;
    if (kind === "shortstr") view[name] = textView(section, at + 1, end);
    else if (kind === "table")
      view[name] = entriesView(section, at + 4, end, 0) ?? undecoded(section, at, end);
    else if (kind === "octet") view[name] = dataView(section).getUint8(at);
    else view[name] = integerView(dataView(section).getBigUint64(at));
    at = end;
  }
  if (at < section.length) view.undecoded = undecoded(section, at, section.length);
  return view;
}

/** null: the table cannot be parsed to its end. */
function entriesView(bytes: Uint8Array, first: number, end: number, depth: number): TypedEntry[] | null {
  const entries: TypedEntry[] = [];
  for (let at = first; at < end;) {
    const next = entryEnd(bytes, at, end);
    if (next === MALFORMED) return null;
    const valueAt = at + 1 + byteAt(bytes, at);
    entries.push({ name: textView(bytes, at + 1, valueAt), ...valueView(bytes, valueAt, next, depth) });
    at = next;
  }
  return entries;
}

function elementsView(bytes: Uint8Array, first: number, end: number, depth: number): TypedValue[] | null {
  const elements: TypedValue[] = [];
  for (let at = first; at < end;) {
    const next = valueEnd(bytes, at, end);
    if (next === MALFORMED) return null;
    elements.push(valueView(bytes, at, next, depth));
    at = next;
  }
  return elements;
}

function valueView(bytes: Uint8Array, at: number, end: number, depth: number): TypedValue {
  const view = dataView(bytes);
  const first = at + 1;
  switch (String.fromCharCode(view.getUint8(at))) {
    case "V":
      return { type: "void", value: null };
    case "t":
      return { type: "bool", value: view.getUint8(first) !== 0 };
    case "b":
      return { type: "int8", value: view.getInt8(first) };
    case "B":
      return { type: "uint8", value: view.getUint8(first) };
    case "s":
      return { type: "int16", value: view.getInt16(first) };
    case "u":
      return { type: "uint16", value: view.getUint16(first) };
    case "I":
      return { type: "int32", value: view.getInt32(first) };
    case "i":
      return { type: "uint32", value: view.getUint32(first) };
    case "l":
      return { type: "int64", value: integerView(view.getBigInt64(first)) };
    case "L":
      return { type: "uint64", value: integerView(view.getBigUint64(first)) };
    case "T":
      return { type: "timestamp", value: integerView(view.getBigUint64(first)) };
    case "f":
      return { type: "float", value: realView(view.getFloat32(first)) };
    case "d":
      return { type: "double", value: realView(view.getFloat64(first)) };
    case "D":
      return { type: "decimal", value: { digits: view.getUint32(first + 1), scale: view.getUint8(first) } };
    case "S":
      return { type: "string", value: textView(bytes, first + 4, end) };
    case "x":
      return { type: "bytes", value: { base64: base64(bytes.subarray(first + 4, end)) } };
    case "A":
      return nested("array", elementsView, bytes, at, end, depth);
    default:
      return nested("table", entriesView, bytes, at, end, depth);
  }
}

function nested(
  type: "array" | "table",
  inside: typeof elementsView | typeof entriesView,
  bytes: Uint8Array,
  at: number,
  end: number,
  depth: number,
): TypedValue {
  const value = depth < MAX_DEPTH ? inside(bytes, at + 5, end, depth + 1) : null;
  return value === null ? { type: "undecodable", value: undecoded(bytes, at, end) } : { type, value };
}

function integerView(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function realView(value: number): number | string {
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : String(value);
}

function textView(bytes: Uint8Array, at: number, end: number): TextView {
  const text = bytes.subarray(at, end);
  try {
    return utf8.decode(text);
  } catch {
    return { base64: base64(text) };
  }
}

function undecoded(bytes: Uint8Array, at: number, end: number): Undecoded {
  return { hex: Array.from(bytes.subarray(at, end), (byte) => byte.toString(16).padStart(2, "0")).join("") };
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function dataView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
