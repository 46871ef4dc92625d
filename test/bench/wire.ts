import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Class and method id in one number, as the first four bytes of a method frame. */
export const METHOD = {
  start: method(10, 10),
  startOk: method(10, 11),
  tune: method(10, 30),
  tuneOk: method(10, 31),
  open: method(10, 40),
  openOk: method(10, 41),
  close: method(10, 50),
  channelOpen: method(20, 10),
  channelOpenOk: method(20, 11),
  channelClose: method(20, 40),
  channelCloseOk: method(20, 41),
  declare: method(50, 10),
  declareOk: method(50, 11),
  qos: method(60, 10),
  qosOk: method(60, 11),
  consume: method(60, 20),
  consumeOk: method(60, 21),
  publish: method(60, 40),
  deliver: method(60, 60),
  ack: method(60, 80),
  nack: method(60, 120),
  confirm: method(85, 10),
  confirmOk: method(85, 11),
} as const;

export const FRAME = { method: 1, header: 2, body: 3 } as const;
const CHANNEL = 1;
const CHUNK_BYTES = 256 * 1024;

function method(classId: number, methodId: number): number {
  return (classId << 16) | methodId;
}

/** Called for every frame of channel 1 but body bytes, which nobody looks at. */
export interface WireListener {
  /** The payload is valid during the call only. */
  method(id: number, payload: Buffer): void;
  /** The whole body frame has arrived. */
  body?(bytes: number): void;
}

/**
 * As little of an AMQP 0-9-1 client as there can be: one connection, one channel, frames counted and their bytes left alone. What it
 * reaches is what the broker and the socket give, and so the measure of others.
 */
export class Wire {
  readonly socket: Socket;
  listener: WireListener = { method: () => undefined };
  readonly #waiting = new Map<number, { done: (payload: Buffer) => void; failed: (error: Error) => void }>();
  #frameMax = 0;
  /** The beginning of a frame whose rest has not arrived. */
  #begun: Buffer = Buffer.alloc(0);
  /** Of a frame nobody looks at: bytes to come, and its payload's size when it is a body. */
  #skip = 0;
  #skippedBody = 0;

  /** Logs in and opens channel 1. Heartbeats are off. */
  static async connect(url: string): Promise<Wire> {
    const { hostname, port, username, password, pathname } = new URL(url);
    const wire = new Wire(hostname, Number(port || 5672));
    await once(wire.socket, "connect");
    const started = wire.answer(METHOD.start);
    wire.socket.write("AMQP\0\0\x09\x01", "latin1");
    await started;
    const tuning = wire.answer(METHOD.tune);
    const login = `\0${decodeURIComponent(username)}\0${decodeURIComponent(password)}`;
    wire.send(METHOD.startOk, u32(0), shortString("PLAIN"), longString(login), shortString("en_US"));
    const tune = await tuning;
    wire.#frameMax = tune.readUInt32BE(6);
    const opened = wire.answer(METHOD.openOk);
    wire.#write(0, METHOD.tuneOk, [tune.subarray(4, 10), u16(0)]);
    const vhost = pathname.length > 1 ? decodeURIComponent(pathname.slice(1)) : "/";
    wire.#write(0, METHOD.open, [shortString(vhost), shortString(""), u8(0)]);
    await opened;
    await wire.call(METHOD.channelOpen, METHOD.channelOpenOk, shortString(""));
    return wire;
  }

  private constructor(host: string, port: number) {
    const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    const onread = {
      buffer,
      callback: (bytes: number) => {
        this.#take(buffer.subarray(0, bytes));
        return true;
      },
    };
    this.socket = connect({ host, port, noDelay: true, onread });
    this.socket.on("error", (error) => this.#fail(error));
    this.socket.on("close", () => this.#fail(new Error("the broker closed the connection")));
  }

  get frameMax(): number {
    return this.#frameMax;
  }

  /** One method on channel 1, or on 0 while logging in. */
  send(id: number, ...parts: readonly Buffer[]): void {
    this.#write(id >>> 16 === 10 ? 0 : CHANNEL, id, parts);
  }

  async call(id: number, answer: number, ...parts: readonly Buffer[]): Promise<Buffer> {
    const answered = this.answer(answer);
    this.send(id, ...parts);
    return answered;
  }

  answer(id: number): Promise<Buffer> {
    return new Promise((done, failed) => this.#waiting.set(id, { done, failed }));
  }

  #write(channel: number, id: number, parts: readonly Buffer[]): void {
    this.socket.write(methodFrame(channel, id, parts));
  }

  #take(chunk: Buffer): void {
    let at = this.#skipIn(chunk, 0);
    while (at < chunk.length) {
      const begun = this.#begun;
      const rest = begun.length === 0 ? chunk.subarray(at) : Buffer.concat([begun, chunk.subarray(at)]);
      const used = this.#frame(rest);
      if (used === 0) {
        this.#begun = Buffer.from(rest);
        return;
      }
      this.#begun = NOTHING;
      at = this.#skipIn(chunk, at + used - begun.length);
    }
  }

  /** Bytes taken of the frame at the start, 0 when more of it is needed. */
  #frame(bytes: Buffer): number {
    if (bytes.length < 7) return 0;
    const type = bytes[0];
    const size = bytes.readUInt32BE(3);
    if (type !== FRAME.method) {
      this.#skip = size + 1;
      this.#skippedBody = type === FRAME.body ? size : 0;
      return 7;
    }
    if (bytes.length < size + 8) return 0;
    this.#method(bytes.subarray(7, 7 + size));
    return size + 8;
  }

  #skipIn(chunk: Buffer, at: number): number {
    if (this.#skip === 0) return at;
    const skipped = Math.min(this.#skip, chunk.length - at);
    this.#skip -= skipped;
    if (this.#skip === 0 && this.#skippedBody > 0) this.listener.body?.(this.#skippedBody);
    return at + skipped;
  }

  #method(payload: Buffer): void {
    const id = payload.readUInt32BE(0);
    if (id === METHOD.close || id === METHOD.channelClose) {
      const text = payload.subarray(7, 7 + payload.readUInt8(6)).toString("utf8");
      this.#fail(new Error(`the broker ended it: ${text}`));
      return;
    }
    const waiting = this.#waiting.get(id);
    if (!waiting) {
      this.listener.method(id, payload);
      return;
    }
    this.#waiting.delete(id);
    waiting.done(Buffer.from(payload));
  }

  #fail(error: Error): void {
    for (const { failed } of this.#waiting.values()) failed(error);
    this.#waiting.clear();
    if (!this.socket.destroyed) this.socket.destroy(error);
  }
}

const NOTHING = Buffer.alloc(0);

export function methodFrame(channel: number, id: number, parts: readonly Buffer[]): Buffer {
  return frame(FRAME.method, channel, [u32(id), ...parts]);
}

export function frame(type: number, channel: number, parts: readonly Buffer[]): Buffer {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([u8(type), u16(channel), u32(size), ...parts, u8(0xce)]);
}

export function u8(value: number): Buffer {
  return Buffer.from([value]);
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export function shortString(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  return Buffer.concat([u8(bytes.length), bytes]);
}

export function longString(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  return Buffer.concat([u32(bytes.length), bytes]);
}
