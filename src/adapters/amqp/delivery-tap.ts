import type { AmqplibFrame, RawConnection } from "./raw-connection.ts";

/** A delivery as it was on the wire. The views stay valid; they keep the received chunks in memory. */
export interface Delivery {
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  readonly exchange: Uint8Array;
  readonly routingKey: Uint8Array;
  /** Property flags and property list of the content header. */
  readonly properties: Uint8Array;
  readonly body: Uint8Array;
}

export interface DeliverySink {
  delivery(delivery: Delivery): void;
  /** basic.get-empty */
  empty(): void;
  /** Everything received so far was handed over. */
  drained(): void;
}

const METHOD_FRAME = 1;
const HEADER_FRAME = 2;
const BODY_FRAME = 3;
const FRAME_HEADER_BYTES = 7;
const FRAME_END_BYTES = 1;
const FRAME_END = 0xce;
const BASIC_DELIVER = (60 << 16) | 60;
const BASIC_GET_OK = (60 << 16) | 71;
const BASIC_GET_EMPTY = (60 << 16) | 72;
const NOTHING = Buffer.alloc(0);

interface Pending {
  deliveryTag: number;
  redelivered: boolean;
  exchange: Buffer;
  routingKey: Buffer;
  properties: Buffer | null;
  bodyBytes: number;
  /** Bytes of the body received. */
  filled: number;
  /** null until a part arrives that is not the whole body. */
  body: Buffer | null;
}

/**
 * Takes deliveries off a connection before amqplib decodes them, because decoding loses wire types, long strings that are not
 * UTF-8 and whole connections (tag L). Frames that are not deliveries of a tapped channel go to amqplib untouched.
 *
 * amqplib asks for frames by `recvFrame`, which is replaced on this one instance.
 */
export class DeliveryTap {
  readonly #raw: RawConnection;
  readonly #decode: () => AmqplibFrame;
  readonly #sinks = new Map<number, DeliverySink>();
  readonly #pending = new Map<number, Pending>();
  #chunk: Buffer;
  #at = 0;
  /** A body frame of which the rest has not arrived: what is missing of its payload, and whose it is. */
  #open: { pending: Pending; missing: number; channel: number } | null = null;
  #paused = false;
  #keepAlive: NodeJS.Timeout | null = null;

  constructor(raw: RawConnection) {
    this.#raw = raw;
    this.#decode = raw.recvFrame.bind(raw);
    this.#chunk = raw.rest;
    raw.rest = NOTHING;
    raw.recvFrame = () => this.#receive();
  }

  /** From now on deliveries on this channel go to the sink, one that is half received too. */
  listen(channel: number, sink: DeliverySink): void {
    this.#sinks.set(channel, sink);
  }

  /**
   * Stops taking anything from the socket: TCP then slows the broker down. amqplib would take the silence for a dead broker, so it
   * is told otherwise meanwhile.
   */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    const everyMs = Math.max(1000, (this.#raw.heartbeat * 1000) / 3);
    this.#keepAlive = setInterval(() => (this.#raw.recvSinceLastCheck = true), everyMs);
    this.#keepAlive.unref();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#keepAlive) clearInterval(this.#keepAlive);
    this.#keepAlive = null;
    // What came meanwhile was announced while nobody looked.
    setImmediate(() => this.#raw.stream.emit("readable"));
  }

  #receive(): AmqplibFrame {
    for (;;) {
      if (this.#paused) return false;
      const frame = this.#step();
      if (frame === "more") {
        if (!this.#fill()) {
          for (const sink of this.#sinks.values()) sink.drained();
          return false;
        }
      } else if (frame !== "taken") {
        return frame;
      }
    }
  }

  #fill(): boolean {
    const incoming: unknown = this.#raw.stream.read();
    if (!Buffer.isBuffer(incoming)) return false;
    this.#raw.recvSinceLastCheck = true;
    const left = this.#chunk.length - this.#at;
    this.#chunk = left === 0 ? incoming : Buffer.concat([this.#chunk.subarray(this.#at), incoming]);
    this.#at = 0;
    return true;
  }

  #step(): AmqplibFrame | "more" | "taken" {
    if (this.#open) return this.#continueBody();
    const chunk = this.#chunk;
    const at = this.#at;
    if (chunk.length - at < FRAME_HEADER_BYTES) return "more";
    const type = chunk.readUInt8(at);
    const channel = chunk.readUInt16BE(at + 1);
    const size = chunk.readUInt32BE(at + 3);
    if (size > this.#raw.frameMax) throw new Error(`Frame of ${size} bytes exceeds frame_max`);
    const start = at + FRAME_HEADER_BYTES;
    const end = start + size;
    const pending = type === BODY_FRAME || type === HEADER_FRAME ? this.#pending.get(channel) : undefined;
    if (chunk.length < end + FRAME_END_BYTES) {
      if (type !== BODY_FRAME || !pending) return "more";
      this.#at = start;
      this.#open = { pending, missing: size, channel };
      return this.#continueBody();
    }
    if (pending || (type === METHOD_FRAME && this.#sinks.has(channel) && isDelivery(chunk, start, size))) {
      if (chunk[end] !== FRAME_END) throw new Error("Invalid frame");
      this.#at = end + FRAME_END_BYTES;
      this.#take(type, channel, chunk.subarray(start, end), pending);
      return "taken";
    }
    this.#at = end + FRAME_END_BYTES;
    this.#raw.rest = chunk.subarray(at, this.#at);
    return this.#decode();
  }

  #take(type: number, channel: number, payload: Buffer, pending: Pending | undefined): void {
    if (!pending) this.#method(channel, payload);
    else if (type === HEADER_FRAME) {
      pending.properties = payload.subarray(12);
      pending.bodyBytes = payload.readUInt32BE(4) * 2 ** 32 + payload.readUInt32BE(8);
      if (pending.bodyBytes === 0) this.#complete(channel, pending, NOTHING);
    } else if (pending.body === null && payload.length === pending.bodyBytes) {
      this.#complete(channel, pending, payload);
    } else {
      this.#append(pending, payload);
      if (pending.filled === pending.bodyBytes) this.#complete(channel, pending, pending.body ?? NOTHING);
    }
  }

  #append(pending: Pending, part: Buffer): void {
    pending.body ??= Buffer.allocUnsafeSlow(pending.bodyBytes);
    if (pending.filled + part.length > pending.bodyBytes) throw new Error("Too much content sent");
    part.copy(pending.body, pending.filled);
    pending.filled += part.length;
  }

  /** Copies what has arrived of a large body straight to its place, so that no chunk is copied twice. */
  #continueBody(): "more" | "taken" {
    const open = this.#open;
    if (!open) return "more";
    const available = this.#chunk.length - this.#at;
    const part = Math.min(available, open.missing);
    if (part > 0) {
      this.#append(open.pending, this.#chunk.subarray(this.#at, this.#at + part));
      this.#at += part;
      open.missing -= part;
    }
    if (open.missing > 0 || this.#at >= this.#chunk.length) return "more";
    if (this.#chunk[this.#at] !== FRAME_END) throw new Error("Invalid frame");
    this.#at += FRAME_END_BYTES;
    this.#open = null;
    const { pending, channel } = open;
    if (pending.filled === pending.bodyBytes) this.#complete(channel, pending, pending.body ?? NOTHING);
    return "taken";
  }

  #complete(channel: number, pending: Pending, body: Buffer): void {
    this.#pending.delete(channel);
    this.#sinks.get(channel)?.delivery({
      deliveryTag: pending.deliveryTag,
      redelivered: pending.redelivered,
      exchange: pending.exchange,
      routingKey: pending.routingKey,
      properties: pending.properties ?? NOTHING,
      body,
    });
  }

  #method(channel: number, payload: Buffer): void {
    const method = payload.readUInt32BE(0);
    if (method === BASIC_GET_EMPTY) {
      this.#sinks.get(channel)?.empty();
      return;
    }
    let at = 4;
    if (method === BASIC_DELIVER) at += 1 + payload.readUInt8(at); // consumer tag
    const deliveryTag = payload.readUInt32BE(at) * 2 ** 32 + payload.readUInt32BE(at + 4);
    const redelivered = (payload.readUInt8(at + 8) & 1) === 1;
    at += 9;
    const exchange = payload.subarray(at + 1, at + 1 + payload.readUInt8(at));
    at += 1 + exchange.length;
    const routingKey = payload.subarray(at + 1, at + 1 + payload.readUInt8(at));
    this.#pending.set(channel, {
      deliveryTag,
      redelivered,
      exchange,
      routingKey,
      properties: null,
      bodyBytes: 0,
      filled: 0,
      body: null,
    });
  }
}

function isDelivery(chunk: Buffer, start: number, size: number): boolean {
  if (size < 4) return false;
  const method = chunk.readUInt32BE(start);
  return method === BASIC_DELIVER || method === BASIC_GET_OK || method === BASIC_GET_EMPTY;
}
