import { Buffer } from "node:buffer";
import type {
  PropertiesView,
  TextView,
  TypedEntry,
  TypedValue,
  Undecoded,
} from "../../domain/property-view.ts";

/** What an expression works with: integers are bigint, doubles number, bytes Uint8Array, times Date. */
export type CelValue =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Date
  | readonly CelValue[]
  | ReadonlyMap<string, CelValue>;

/** The last moment a Date can hold, in seconds. */
const LAST_SECOND = 8_640_000_000_000n;

// A byte order mark is part of a body like any other character.
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });

/** Bytes that are not UTF-8 become U+FFFD. */
export function textOfBytes(bytes: Uint8Array): string {
  return lossy.decode(bytes);
}

export function textOfView(view: TextView): string {
  return typeof view === "string" ? view : textOfBytes(Buffer.from(view.base64, "base64"));
}

/** By name; of two headers of one name the first, as RabbitMQ takes it. Throws RangeError when the table could not be decoded. */
export function headersOf(headers: PropertiesView["headers"]): ReadonlyMap<string, CelValue> {
  if (headers === undefined) return new Map();
  if ("hex" in headers) throw new RangeError("its headers cannot be decoded");
  return mapOf(headers);
}

/** Seconds since 1970 as a time; as an integer when they are beyond what a time can be. */
export function timeOf(seconds: bigint): Date | bigint {
  return seconds > LAST_SECOND ? seconds : new Date(Number(seconds) * 1000);
}

function mapOf(entries: readonly TypedEntry[]): ReadonlyMap<string, CelValue> {
  const map = new Map<string, CelValue>();
  for (const entry of entries) {
    const name = textOfView(entry.name);
    if (!map.has(name)) map.set(name, valueOf(entry));
  }
  return map;
}

function valueOf({ type, value }: TypedValue): CelValue {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number") return numberOf(type, value);
  if (typeof value === "string") return type === "string" ? value : numberOf(type, value);
  if (isList(value)) return listOf(type, value);
  if ("digits" in value) return value.digits / 10 ** value.scale;
  if ("hex" in value) return bytesOf(value);
  return type === "bytes" ? Buffer.from(value.base64, "base64") : textOfView(value);
}

function numberOf(type: TypedValue["type"], value: number | string): CelValue {
  if (type === "float" || type === "double") return Number(value);
  return type === "timestamp" ? timeOf(BigInt(value)) : BigInt(value);
}

function listOf(type: TypedValue["type"], value: readonly (TypedValue | TypedEntry)[]): CelValue {
  return type === "table" ? mapOf(value.filter(isEntry)) : value.map(valueOf);
}

function bytesOf({ hex }: Undecoded): Uint8Array {
  return Buffer.from(hex, "hex");
}

function isEntry(value: TypedValue | TypedEntry): value is TypedEntry {
  return "name" in value;
}

function isList(
  value: NonNullable<TypedValue["value"]>,
): value is Extract<TypedValue["value"], readonly (TypedValue | TypedEntry)[]> {
  return Array.isArray(value);
}
