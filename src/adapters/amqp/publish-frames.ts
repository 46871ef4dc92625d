/** One message as basic.publish sends it. Everything raw. */
export interface PublishedMessage {
  /** 0 to 255 bytes. */
  readonly exchange: Uint8Array;
  /** 0 to 255 bytes. */
  readonly routingKey: Uint8Array;
  /** Property flags and property list. */
  readonly properties: Uint8Array;
  readonly body: Uint8Array;
}

const METHOD_FRAME = 1;
const HEADER_FRAME = 2;
const BODY_FRAME = 3;
const FRAME_END = 0xce;
/** Type, channel, size before the payload; the end mark after it (AMQP 0-9-1, 2.3.5). */
const FRAME_OVERHEAD = 8;
const BASIC_CLASS = 60;
const BASIC_PUBLISH = 40;
const MANDATORY = 1;
/** Class, method, reserved short, two length bytes, the bits. */
const PUBLISH_FIXED = 9;
/** Class, weight, body size. */
const HEADER_FIXED = 12;

/** The largest property section that fits into a header frame, which must not be split. */
export function largestProperties(frameMax: number): number {
  return frameMax - FRAME_OVERHEAD - HEADER_FIXED;
}

/** Bytes of the method frame and the header frame. */
export function headBytes(message: PublishedMessage): number {
  return (
    2 * FRAME_OVERHEAD +
    PUBLISH_FIXED +
    message.exchange.length +
    message.routingKey.length +
    HEADER_FIXED +
    message.properties.length
  );
}

/** Bytes of so many body bytes in frames. */
export function bodyFrameBytes(bodyBytes: number, frameMax: number): number {
  return bodyBytes + Math.ceil(bodyBytes / (frameMax - FRAME_OVERHEAD)) * FRAME_OVERHEAD;
}

/** Body bytes that one frame can carry. */
export function bodyBytesPerFrame(frameMax: number): number {
  return frameMax - FRAME_OVERHEAD;
}

/** basic.publish (mandatory) and the content header. Returns the offset behind them. */
export function writeHead(target: Buffer, at: number, channel: number, message: PublishedMessage): number {
  const { exchange, routingKey, properties, body } = message;
  let end = startFrame(
    target,
    at,
    METHOD_FRAME,
    channel,
    PUBLISH_FIXED + exchange.length + routingKey.length,
  );
  end = target.writeUInt16BE(BASIC_CLASS, end);
  end = target.writeUInt16BE(BASIC_PUBLISH, end);
  end = target.writeUInt16BE(0, end);
  end = shortString(target, end, exchange);
  end = shortString(target, end, routingKey);
  end = target.writeUInt8(MANDATORY, end);
  end = target.writeUInt8(FRAME_END, end);
  end = startFrame(target, end, HEADER_FRAME, channel, HEADER_FIXED + properties.length);
  end = target.writeUInt16BE(BASIC_CLASS, end);
  end = target.writeUInt16BE(0, end);
  end = target.writeUInt32BE(Math.floor(body.length / 2 ** 32), end);
  end = target.writeUInt32BE(body.length % 2 ** 32, end);
  target.set(properties, end);
  return target.writeUInt8(FRAME_END, end + properties.length);
}

/** Body frames of `body`, none for an empty one. Returns the offset behind them. */
export function writeBody(
  target: Buffer,
  at: number,
  channel: number,
  body: Uint8Array,
  frameMax: number,
): number {
  const room = frameMax - FRAME_OVERHEAD;
  let end = at;
  for (let from = 0; from < body.length; from += room) {
    const part = body.length <= room ? body : body.subarray(from, from + room);
    end = startFrame(target, end, BODY_FRAME, channel, part.length);
    target.set(part, end);
    end = target.writeUInt8(FRAME_END, end + part.length);
  }
  return end;
}

function startFrame(target: Buffer, at: number, type: number, channel: number, size: number): number {
  target[at] = type;
  target[at + 1] = channel >>> 8;
  target[at + 2] = channel;
  return target.writeUInt32BE(size, at + 3);
}

function shortString(target: Buffer, at: number, bytes: Uint8Array): number {
  target[at] = bytes.length;
  target.set(bytes, at + 1);
  return at + 1 + bytes.length;
}
