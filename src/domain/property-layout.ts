import { MALFORMED, byteAt, shortstrEnd, sizedEnd } from "./field-table.ts";

/** How a property lies in the list: a u8 or u32 length and its bytes, one byte, or eight. */
export type PropertyKind = "shortstr" | "table" | "octet" | "timestamp";

/** The properties of class basic in the order of the list; `mask` is each one's bit in the first word of flags. */
export const PROPERTIES = [
  { name: "contentType", kind: "shortstr", mask: 0x8000 },
  { name: "contentEncoding", kind: "shortstr", mask: 0x4000 },
  { name: "headers", kind: "table", mask: 0x2000 },
  { name: "deliveryMode", kind: "octet", mask: 0x1000 },
  { name: "priority", kind: "octet", mask: 0x0800 },
  { name: "correlationId", kind: "shortstr", mask: 0x0400 },
  { name: "replyTo", kind: "shortstr", mask: 0x0200 },
  { name: "expiration", kind: "shortstr", mask: 0x0100 },
  { name: "messageId", kind: "shortstr", mask: 0x0080 },
  { name: "timestamp", kind: "timestamp", mask: 0x0040 },
  { name: "type", kind: "shortstr", mask: 0x0020 },
  { name: "userId", kind: "shortstr", mask: 0x0010 },
  { name: "appId", kind: "shortstr", mask: 0x0008 },
  { name: "clusterId", kind: "shortstr", mask: 0x0004 },
] as const satisfies readonly { name: string; kind: PropertyKind; mask: number }[];

export type PropertyName = (typeof PROPERTIES)[number]["name"];

/** The first word of flags. 0 when the section is too short to have one. */
export function flagsOf(section: Uint8Array): number {
  return (byteAt(section, 0) << 8) | byteAt(section, 1);
}

/** Where the property list begins: behind all words of flags (the lowest bit of a word says that another follows). */
export function listStart(section: Uint8Array): number {
  let at = 2;
  while (at <= section.length && (byteAt(section, at - 1) & 1) === 1) at += 2;
  return at > section.length ? MALFORMED : at;
}

/** Where a property that begins at `at` ends; MALFORMED past the end of the section. */
export function propertyEnd(section: Uint8Array, at: number, kind: PropertyKind): number {
  if (kind === "shortstr") return shortstrEnd(section, at, section.length);
  if (kind === "table") return sizedEnd(section, at, section.length);
  const end = at + (kind === "octet" ? 1 : 8);
  return end > section.length ? MALFORMED : end;
}

/** The flags with one property's bit cleared, written to the start of `section`. */
export function clearFlag(section: Uint8Array, mask: number): void {
  const flags = flagsOf(section) & ~mask;
  section[0] = flags >> 8;
  section[1] = flags & 0xff;
}
