import type { RawConnection } from "./raw-connection.ts";

const HEADER_FRAME = 2;
const FRAME_HEADER_BYTES = 7;
const FRAME_END_BYTES = 1;
const BASIC_CLASS = 60;

/**
 * On a connection that only publishes, content headers come with returned messages alone. amqplib would decode them, and fail with
 * the whole connection on a header table it does not understand; here they pass undecoded.
 */
export function skipReturnedProperties(raw: RawConnection): void {
  const decode = raw.recvFrame.bind(raw);
  // amqplib calls recvFrame again by itself after each read, so a frame completed by that read comes by here too.
  raw.recvFrame = () => {
    const { rest } = raw;
    if (rest.length < FRAME_HEADER_BYTES || rest[0] !== HEADER_FRAME) return decode();
    const bytes = FRAME_HEADER_BYTES + rest.readUInt32BE(3) + FRAME_END_BYTES;
    if (rest.length < bytes) return decode();
    raw.rest = rest.subarray(bytes);
    const size = Number(rest.readBigUInt64BE(FRAME_HEADER_BYTES + 4));
    return { id: BASIC_CLASS, channel: rest.readUInt16BE(1), size, fields: {} };
  };
}
