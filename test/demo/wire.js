// Messages as they are on the wire, independent of what mqbackup makes of them: property sections (flags and list) as
// they left a publisher's socket and as they reached a consumer's, and bodies.

const HEADER_FRAME = 2;

/** Watches a socket of amqplib; the list grows by one property section for every message that passes. */
export function watchSections(connection, direction) {
  const stream = connection.connection.stream;
  const seen = [];
  let rest = Buffer.alloc(0);
  const take = (bytes) => (rest = takeFrames(Buffer.concat([rest, bytes]), seen));
  const pass = stream[direction].bind(stream);
  stream[direction] = (...given) => {
    const result = pass(...given);
    const bytes = direction === "read" ? result : given[0];
    if (Buffer.isBuffer(bytes)) take(bytes);
    return result;
  };
  return seen;
}

/** Frame: type (1), channel (2), size (4), payload, end (1). Header payload: class, weight, body size (12), section. */
function takeFrames(bytes, seen) {
  let at = 0;
  while (bytes.length - at >= 7) {
    const size = bytes.readUInt32BE(at + 3);
    if (bytes.length - at < size + 8) break;
    if (bytes[at] === HEADER_FRAME) seen.push(Buffer.from(bytes.subarray(at + 7 + 12, at + 7 + size)));
    at += size + 8;
  }
  return Buffer.from(bytes.subarray(at));
}

/** What brokers write into messages when they deliver them. */
const WRITTEN_BY_BROKERS = new Set(["x-delivery-count", "x-acquired-count", "x-stream-offset"]);

/** In this order, each there or not by its bit, the highest first. */
const PROPERTIES = [
  { name: "content-type", size: shortString },
  { name: "content-encoding", size: shortString },
  { name: "headers", size: table },
  { name: "delivery-mode", size: () => 1 },
  { name: "priority", size: () => 1 },
  { name: "correlation-id", size: shortString },
  { name: "reply-to", size: shortString },
  { name: "expiration", size: shortString },
  { name: "message-id", size: shortString },
  { name: "timestamp", size: () => 8 },
  { name: "type", size: shortString },
  { name: "user-id", size: shortString },
  { name: "app-id", size: shortString },
  { name: "cluster-id", size: shortString },
];

/**
 * One line of text for a property section, the same for the same properties: every value as type and bytes, header
 * entries in the order of their names (brokers sort them), without what the broker adds on delivery.
 */
export function sectionText(section) {
  const flags = section.readUInt16BE(0);
  let at = 2;
  const parts = [];
  for (const [i, { name, size }] of PROPERTIES.entries()) {
    if ((flags & (0x8000 >> i)) === 0) continue;
    const bytes = section.subarray(at, at + size(section, at));
    const text = name === "headers" ? headersText(bytes) : bytes.toString("hex");
    if (text !== "") parts.push(`${name}=${text}`);
    at += bytes.length;
  }
  return parts.join(" ");
}

function headersText(bytes) {
  const entries = [];
  for (let at = 4; at < bytes.length;) {
    const key = bytes.toString("utf8", at + 1, at + shortString(bytes, at));
    const start = at + shortString(bytes, at);
    at = start + 1 + valueSize(bytes, start);
    if (!WRITTEN_BY_BROKERS.has(key)) entries.push(`${key}:${bytes.toString("hex", start, at)}`);
  }
  return entries.toSorted().join(",");
}

function shortString(bytes, at) {
  return 1 + bytes[at];
}

function table(bytes, at) {
  return 4 + bytes.readUInt32BE(at);
}

const SIZES = { V: 0, t: 1, b: 1, B: 1, s: 2, u: 2, I: 4, i: 4, f: 4, D: 5, l: 8, L: 8, d: 8, T: 8 };

function valueSize(bytes, at) {
  const type = String.fromCharCode(bytes[at]);
  if ("SxFA".includes(type)) return 4 + bytes.readUInt32BE(at + 1);
  if (type in SIZES) return SIZES[type];
  throw new Error(`a header of type ${type}`);
}
