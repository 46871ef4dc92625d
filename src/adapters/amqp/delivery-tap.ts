import type { AmqplibFrame, RawConnection } from "./raw-connection.ts";
import type { ReceiveMemory } from "./receive-memory.ts";

/**
 * A delivery as it was on the wire. The views are valid while the sink is called, and afterwards until the batch they are kept in is
 * given back.
 */
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

/** What is being received on one channel. */
interface Lane {
  sink: DeliverySink;
  /** A delivery has begun. */
  isOpen: boolean;
  deliveryTag: number;
  redelivered: boolean;
  /** Copies, mostly the same for one delivery after another. */
  exchange: Uint8Array;
  routingKey: Uint8Array;
  /** null until the content header has come. */
  properties: Uint8Array | null;
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
 * amqplib asks for frames by `recvFrame` whenever its stream is readable; the one is replaced on this one instance, the other is
 * said by us.
 */
export class DeliveryTap {
  readonly #raw: RawConnection;
  readonly #received: ReceiveMemory;
  readonly #decode: () => AmqplibFrame;
  readonly #lanes = new Map<number, Lane>();
  #memory: Buffer = NOTHING;
  #at = 0;
  #to = 0;
  #paused = false;
  #keepAlive: NodeJS.Timeout | null = null;

  constructor(raw: RawConnection, received: ReceiveMemory) {
    this.#raw = raw;
    this.#received = received;
    this.#decode = raw.recvFrame.bind(raw);
    const before = [raw.rest];
    for (let part = raw.stream.read(); Buffer.isBuffer(part); part = raw.stream.read()) before.push(part);
    raw.rest = NOTHING;
    raw.recvFrame = () => this.#receive();
    received.attach(raw.stream, Buffer.concat(before), {
      take: (memory, from, to) => this.#take(memory, from, to),
      arrived: () => (raw.recvSinceLastCheck = true),
      stopped: (isStopped) => this.#beat(isStopped || this.#paused),
    });
  }

  /** From now on deliveries on this channel go to the sink, one that is half received too. */
  listen(channel: number, sink: DeliverySink): void {
    const lane = this.#lanes.get(channel);
    if (lane) lane.sink = sink;
    else this.#lanes.set(channel, newLane(sink));
  }

  /** The delivery just handed over is kept with those of the batch under way. */
  keep(): void {
    this.#received.keep();
  }

  /** What was kept is handed over as a batch. */
  handOver(): void {
    this.#received.handOver();
  }

  /** What was handed over is not looked at any more. Until then it keeps memory, and without memory nothing is received. */
  giveBack(): void {
    this.#received.giveBack();
  }

  /** From now on nothing waits for batches to be given back. */
  flow(): void {
    this.#received.grow();
    this.resume();
  }

  /** Stops taking anything from the socket: TCP then slows the broker down. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#received.pause();
    this.#beat(true);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#beat(false);
    setImmediate(() => {
      if (!this.#paused) this.#received.resume();
    });
  }

  /** amqplib would take our own silence for a dead broker, so it is told otherwise meanwhile. */
  #beat(isStopped: boolean): void {
    if (isStopped === (this.#keepAlive !== null)) return;
    if (this.#keepAlive) clearInterval(this.#keepAlive);
    this.#keepAlive = null;
    if (!isStopped) return;
    const everyMs = Math.max(1000, (this.#raw.heartbeat * 1000) / 3);
    this.#keepAlive = setInterval(() => (this.#raw.recvSinceLastCheck = true), everyMs);
    this.#keepAlive.unref();
  }

  #take(memory: Buffer, from: number, to: number): number {
    this.#memory = memory;
    this.#at = from;
    this.#to = to;
    try {
      this.#raw.stream.emit("readable");
      return this.#at;
    } finally {
      this.#memory = NOTHING;
      this.#at = this.#to = 0;
    }
  }

  #receive(): AmqplibFrame {
    while (!this.#paused) {
      const frame = this.#step();
      if (frame === "taken") continue;
      if (frame !== "more") return frame;
      for (const lane of this.#lanes.values()) {
        // The rest of it may come to lie elsewhere.
        if (lane.isOpen && lane.properties) lane.properties = Buffer.from(lane.properties);
        lane.sink.drained();
      }
      return false;
    }
    return false;
  }

  #step(): AmqplibFrame | "more" | "taken" {
    const memory = this.#memory;
    const at = this.#at;
    if (this.#to - at < FRAME_HEADER_BYTES) return "more";
    const type = memory.readUInt8(at);
    const size = memory.readUInt32BE(at + 3);
    if (size > this.#raw.frameMax) throw new Error(`Frame of ${size} bytes exceeds frame_max`);
    const start = at + FRAME_HEADER_BYTES;
    const end = start + size;
    if (this.#to < end + FRAME_END_BYTES) return "more";
    const lane = this.#lanes.get(memory.readUInt16BE(at + 1));
    if (!lane || !isOurs(lane, type, memory, start, size)) {
      this.#at = end + FRAME_END_BYTES;
      this.#raw.rest = Buffer.from(memory.subarray(at, this.#at));
      return this.#decode();
    }
    if (memory[end] !== FRAME_END) throw new Error("Invalid frame");
    this.#at = end + FRAME_END_BYTES;
    if (type === METHOD_FRAME) begin(lane, memory, start);
    else if (type === HEADER_FRAME) header(lane, memory, start, end);
    else append(lane, memory, start, end);
    return "taken";
  }
}

function newLane(sink: DeliverySink): Lane {
  return {
    sink,
    isOpen: false,
    deliveryTag: 0,
    redelivered: false,
    exchange: NOTHING,
    routingKey: NOTHING,
    properties: null,
    bodyBytes: 0,
    filled: 0,
    body: null,
  };
}

/** A delivery's method: basic.deliver, basic.get-ok; or basic.get-empty. */
function begin(lane: Lane, memory: Buffer, start: number): void {
  const method = memory.readUInt32BE(start);
  if (method === BASIC_GET_EMPTY) {
    lane.sink.empty();
    return;
  }
  let at = start + 4;
  if (method === BASIC_DELIVER) at += 1 + memory.readUInt8(at); // consumer tag
  lane.deliveryTag = memory.readUInt32BE(at) * 2 ** 32 + memory.readUInt32BE(at + 4);
  lane.redelivered = (memory.readUInt8(at + 8) & 1) === 1;
  at += 9;
  lane.exchange = shortString(memory, at, lane.exchange);
  at += 1 + lane.exchange.length;
  lane.routingKey = shortString(memory, at, lane.routingKey);
  lane.isOpen = true;
  lane.properties = null;
  lane.filled = 0;
  lane.body = null;
}

/** A copy; the one before when it is the same again. */
function shortString(memory: Buffer, at: number, before: Uint8Array): Uint8Array {
  const start = at + 1;
  const length = memory.readUInt8(at);
  let i = before.length === length ? 0 : -1;
  while (i >= 0 && i < length) i = before[i] === memory[start + i] ? i + 1 : -1;
  return i < 0 ? new Uint8Array(memory.subarray(start, start + length)) : before;
}

function header(lane: Lane, memory: Buffer, start: number, end: number): void {
  lane.properties = memory.subarray(start + 12, end);
  lane.bodyBytes = memory.readUInt32BE(start + 4) * 2 ** 32 + memory.readUInt32BE(start + 8);
  if (lane.bodyBytes === 0) complete(lane, lane.properties, NOTHING);
}

/** A body of one frame is looked at where it lies, one of several is put together. */
function append(lane: Lane, memory: Buffer, start: number, end: number): void {
  const { properties, bodyBytes } = lane;
  if (properties === null || lane.filled + end - start > bodyBytes) throw new Error("Too much content sent");
  if (lane.filled === 0 && end - start === bodyBytes) {
    complete(lane, properties, memory.subarray(start, end));
    return;
  }
  lane.body ??= Buffer.allocUnsafeSlow(bodyBytes);
  memory.copy(lane.body, lane.filled, start, end);
  lane.filled += end - start;
  if (lane.filled === bodyBytes) complete(lane, properties, lane.body);
}

function complete(lane: Lane, properties: Uint8Array, body: Uint8Array): void {
  lane.isOpen = false;
  const { deliveryTag, redelivered, exchange, routingKey } = lane;
  lane.sink.delivery({ deliveryTag, redelivered, exchange, routingKey, properties, body });
}

function isOurs({ isOpen }: Lane, type: number, memory: Buffer, start: number, size: number): boolean {
  if (type === METHOD_FRAME) return isDelivery(memory, start, size);
  return isOpen && (type === HEADER_FRAME || type === BODY_FRAME);
}

function isDelivery(memory: Buffer, start: number, size: number): boolean {
  if (size < 4) return false;
  const method = memory.readUInt32BE(start);
  return method === BASIC_DELIVER || method === BASIC_GET_OK || method === BASIC_GET_EMPTY;
}

/** What stays valid whatever is received afterwards. */
export function copyOf(delivery: Delivery): Delivery {
  const { properties, body } = delivery;
  return { ...delivery, properties: Uint8Array.from(properties), body: Uint8Array.from(body) };
}
