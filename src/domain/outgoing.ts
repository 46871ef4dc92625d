import { DEATH_HEADERS } from "./death-origin.ts";
import { byteAt, MALFORMED } from "./field-table.ts";
import type { MessageRecord } from "./message.ts";
import { flagsOf, listStart, propertyEnd } from "./property-layout.ts";
import { hasHeader, withoutHeadersNamed, withoutProperties } from "./property-section.ts";
import type { RestoreRequest } from "./restore-request.ts";

const CONTENT_TYPE = 0x8000;
const CONTENT_ENCODING = 0x4000;
const HEADERS = 0x2000;
const DELIVERY_MODE = 0x1000;
const EXPIRATION = 0x0100;
const PERSISTENT = 2;

/** What is asked of the properties on the way back. */
export interface PropertyEdits extends Pick<RestoreRequest, "expiration" | "userId" | "deathHeader"> {
  /** Absent: kept. */
  readonly priority?: "drop";
}

/** The properties to be published: the record's own bytes, without what is to be dropped. Throws ARCHIVE_DAMAGED. */
export function editedProperties(
  { properties }: MessageRecord,
  { expiration, userId, deathHeader, priority }: PropertyEdits,
): Uint8Array {
  const kept = deathHeader === "keep" ? properties : withoutHeadersNamed(properties, DEATH_HEADERS);
  if (expiration === "keep" && userId === "keep" && priority === undefined) return kept;
  return withoutProperties(kept, {
    expiration: expiration === "drop",
    userId: userId === "drop",
    priority: priority === "drop",
  });
}

/** The broker would copy it to other queues: it has a CC or BCC header. */
export function isCopied(properties: Uint8Array): boolean {
  return hasHeader(properties, "CC") || hasHeader(properties, "BCC");
}

export function isExpiring(properties: Uint8Array): boolean {
  return (flagsOf(properties) & EXPIRATION) !== 0;
}

/** Delivery mode 2. Everything else, also no delivery mode at all, does not survive a restart in a classic queue. */
export function isPersistent(properties: Uint8Array): boolean {
  const flags = flagsOf(properties);
  if ((flags & DELIVERY_MODE) === 0) return false;
  let at = listStart(properties);
  if ((flags & CONTENT_TYPE) !== 0 && at !== MALFORMED) at = propertyEnd(properties, at, "shortstr");
  if ((flags & CONTENT_ENCODING) !== 0 && at !== MALFORMED) at = propertyEnd(properties, at, "shortstr");
  if ((flags & HEADERS) !== 0 && at !== MALFORMED) at = propertyEnd(properties, at, "table");
  return at !== MALFORMED && byteAt(properties, at) === PERSISTENT;
}
