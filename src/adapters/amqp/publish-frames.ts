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
/** Bodies from this size on are not copied: that costs more than a piece of its own. */
const VIEWED_FROM = 16 * 1024;
/** Chunks kept to be filled again. */
const MOST_FREE = 16;

/** The largest property section that fits into a header frame, which must not be split. */
export function largestProperties(frameMax: number): number {
  return frameMax - FRAME_OVERHEAD - HEADER_FIXED;
}

/** Bytes of all frames of a message. */
export function framedBytes(message: PublishedMessage, frameMax: number): number {
  return headBytes(message) + message.body.length + bodyFrames(message.body, frameMax) * FRAME_OVERHEAD;
}

/** Bytes for the socket. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** To be called when the socket has them: their memory is then used again, unless it is a message's. */
  readonly written: () => void;
}

/** Memory for frames; used again when all of it has been written. */
interface Chunk {
  readonly memory: Buffer;
  /** Pieces of it that are not written yet, and one more as long as it is being filled. */
  uses: number;
}

/** Gathers the frames of messages, to be written in few pieces. Small bodies are copied, large ones are views of the message's. */
export class PublishFrames {
  readonly #channel: number;
  readonly #frameMax: number;
  readonly #chunkBytes: number;
  readonly #free: Chunk[] = [];
  #pieces: Piece[] = [];
  #bytes = 0;
  #current: Chunk;
  #chunk: Buffer;
  /** Of the chunk, what is in no piece yet. */
  #from = 0;
  #to = 0;

  /** @param chunkBytes Memory is taken in portions of this size. */
  constructor(channel: number, frameMax: number, chunkBytes: number) {
    this.#channel = channel;
    this.#frameMax = frameMax;
    this.#chunkBytes = chunkBytes;
    this.#current = newChunk(chunkBytes);
    this.#chunk = this.#current.memory;
  }

  /** Of everything appended and not taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** basic.publish (mandatory), content header and body. */
  append(message: PublishedMessage): void {
    const { body } = message;
    const copied = body.length < VIEWED_FROM;
    const overhead = headBytes(message) + bodyFrames(body, this.#frameMax) * FRAME_OVERHEAD;
    this.#makeRoom(overhead + (copied ? body.length : 0));
    this.#bytes += overhead + body.length;
    this.#head(message);
    const room = this.#frameMax - FRAME_OVERHEAD;
    for (let at = 0; at < body.length; at += room) {
      const part = body.length <= room ? body : body.subarray(at, at + room);
      this.#startFrame(BODY_FRAME, part.length);
      if (copied) this.#put(part);
      else {
        this.#endPiece();
        this.#pieces.push({ bytes: part, written: nothing });
      }
      this.#chunk[this.#to++] = FRAME_END;
    }
  }

  /** The pieces so far, whole frames together, each byte once. */
  take(): readonly Piece[] {
    this.#endPiece();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    return pieces;
  }

  #makeRoom(bytes: number): void {
    if (this.#to + bytes <= this.#chunk.length) return;
    this.#endPiece();
    this.#used(this.#current);
    const free = bytes <= this.#chunkBytes ? this.#free.pop() : undefined;
    this.#current = free ?? newChunk(Math.max(this.#chunkBytes, bytes));
    this.#current.uses = 1;
    this.#chunk = this.#current.memory;
    this.#from = 0;
    this.#to = 0;
  }

  #endPiece(): void {
    if (this.#from === this.#to) return;
    const current = this.#current;
    current.uses += 1;
    const bytes = current.memory.subarray(this.#from, this.#to);
    this.#pieces.push({ bytes, written: () => this.#used(current) });
    this.#from = this.#to;
  }

  #used(chunk: Chunk): void {
    chunk.uses -= 1;
    const { uses, memory } = chunk;
    if (uses === 0 && memory.length === this.#chunkBytes && this.#free.length < MOST_FREE)
      this.#free.push(chunk);
  }

  #head({ exchange, routingKey, properties, body }: PublishedMessage): void {
    this.#startFrame(METHOD_FRAME, PUBLISH_FIXED + exchange.length + routingKey.length);
    const chunk = this.#chunk;
    this.#to = chunk.writeUInt16BE(BASIC_CLASS, this.#to);
    this.#to = chunk.writeUInt16BE(BASIC_PUBLISH, this.#to);
    this.#to = chunk.writeUInt16BE(0, this.#to);
    chunk[this.#to++] = exchange.length;
    this.#put(exchange);
    chunk[this.#to++] = routingKey.length;
    this.#put(routingKey);
    chunk[this.#to++] = MANDATORY;
    chunk[this.#to++] = FRAME_END;
    this.#startFrame(HEADER_FRAME, HEADER_FIXED + properties.length);
    this.#to = chunk.writeUInt16BE(BASIC_CLASS, this.#to);
    this.#to = chunk.writeUInt16BE(0, this.#to);
    this.#to = chunk.writeUInt32BE(Math.floor(body.length / 2 ** 32), this.#to);
    this.#to = chunk.writeUInt32BE(body.length % 2 ** 32, this.#to);
    this.#put(properties);
    chunk[this.#to++] = FRAME_END;
  }

  #startFrame(type: number, size: number): void {
    const chunk = this.#chunk;
    chunk[this.#to] = type;
    chunk[this.#to + 1] = this.#channel >>> 8;
    chunk[this.#to + 2] = this.#channel;
    this.#to = chunk.writeUInt32BE(size, this.#to + 3);
  }

  #put(bytes: Uint8Array): void {
    this.#chunk.set(bytes, this.#to);
    this.#to += bytes.length;
  }
}

function newChunk(bytes: number): Chunk {
  return { memory: Buffer.allocUnsafeSlow(bytes), uses: 1 };
}

function nothing(): void {}

function headBytes({ exchange, routingKey, properties }: PublishedMessage): number {
  return (
    2 * FRAME_OVERHEAD +
    PUBLISH_FIXED +
    exchange.length +
    routingKey.length +
    HEADER_FIXED +
    properties.length
  );
}

function bodyFrames(body: Uint8Array, frameMax: number): number {
  return Math.ceil(body.length / (frameMax - FRAME_OVERHEAD));
}
