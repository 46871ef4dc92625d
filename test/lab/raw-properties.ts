import type { ChannelModel } from "amqplib";

const FRAME_HEADER = 2;

/**
 * Watches what a connection receives and keeps, in the order of arrival, the property section of every message as it
 * was on the wire: property flags and property list. amqplib decodes these bytes and drops them.
 */
export function watchRawProperties(connection: ChannelModel): Buffer[] {
  const stream = streamOf(connection);
  const seen: Buffer[] = [];
  const read = stream.read.bind(stream);
  let rest: Buffer = Buffer.alloc(0);
  stream.read = (size?: number) => {
    const bytes = read(size);
    if (bytes !== null) rest = takeFrames(rest.length === 0 ? bytes : Buffer.concat([rest, bytes]), seen);
    return bytes;
  };
  return seen;
}

/** Frame: type (1), channel (2), size (4), payload, end (1). Header payload: class, weight (4), body size (8), properties. */
function takeFrames(bytes: Buffer, seen: Buffer[]): Buffer {
  let at = 0;
  while (bytes.length - at >= 7) {
    const size = bytes.readUInt32BE(at + 3);
    if (bytes.length - at < size + 8) break;
    if (bytes[at] === FRAME_HEADER) seen.push(Buffer.from(bytes.subarray(at + 7 + 12, at + 7 + size)));
    at += size + 8;
  }
  return bytes.subarray(at);
}

interface Readable {
  read: (size?: number) => Buffer | null;
}

function streamOf(connection: ChannelModel): Readable {
  const inner: unknown = connection.connection;
  if (typeof inner === "object" && inner !== null && "stream" in inner) return inner.stream as Readable;
  throw new Error("amqplib keeps its socket elsewhere now");
}
