import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { docker } from "./docker.ts";
import type { LabVhost } from "./vhost.ts";

const PORT = 5552;
const COMMAND = {
  declarePublisher: 0x01,
  publish: 0x02,
  publishConfirm: 0x03,
  peerProperties: 0x11,
  saslHandshake: 0x12,
  saslAuthenticate: 0x13,
  tune: 0x14,
  open: 0x15,
} as const;

/** What one publish command carries: a message, or several in a compressed batch, which takes as many offsets. */
export type StreamEntry = string | readonly string[];

/**
 * Publishes into a stream by RabbitMQ's stream protocol, one command an entry, and resolves when all are confirmed. The
 * broker must be a container of the lab: its stream port is not mapped.
 */
export async function publishByStreamProtocol(
  vhost: LabVhost,
  stream: string,
  entries: readonly StreamEntry[],
): Promise<void> {
  const { username, password } = vhost.broker;
  await using peer = await Peer.connect(await addressOf(vhost));
  await peer.call(COMMAND.peerProperties, [u32(0)]);
  await peer.call(COMMAND.saslHandshake, []);
  const tuned = peer.next(COMMAND.tune);
  const plain = Buffer.from(`\0${username}\0${password}`);
  await peer.call(COMMAND.saslAuthenticate, [text("PLAIN"), u32(plain.length), plain]);
  peer.send(COMMAND.tune, [await tuned]);
  await peer.call(COMMAND.open, [text(vhost.name)]);
  await peer.call(COMMAND.declarePublisher, [u8(1), text(""), text(stream)]);
  for (const [id, entry] of entries.entries()) {
    const confirmed = peer.next(COMMAND.publishConfirm);
    const content = typeof entry === "string" ? message(entry) : compressedBatch(entry);
    peer.send(COMMAND.publish, [u8(1), u32(1), u64(id + 1), content]);
    await confirmed;
  }
}

async function addressOf({ broker }: LabVhost): Promise<string> {
  const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  return (await docker(["inspect", "--format", format, broker.containerId ?? ""])).trim();
}

/** Length and an AMQP 1.0 data section. */
function message(body: string): Buffer {
  const bytes = Buffer.from(body);
  const section = Buffer.concat([Buffer.from([0x00, 0x53, 0x75, 0xa0, bytes.length]), bytes]);
  return Buffer.concat([u32(section.length), section]);
}

/** Entry type 1, compression 1 (gzip), number of messages, bytes before and after compression. */
function compressedBatch(bodies: readonly string[]): Buffer {
  const plain = Buffer.concat(bodies.map(message));
  const zipped = gzipSync(plain);
  return Buffer.concat([u8(0x90), u16(bodies.length), u32(plain.length), u32(zipped.length), zipped]);
}

/** One connection: frames are a length, a key (with a bit for answers), a version, and for most a correlation id. */
class Peer implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #waiting: {
    readonly key: number;
    readonly resolve: (payload: Buffer) => void;
    readonly reject: (reason: Error) => void;
  }[] = [];
  #received: Buffer = Buffer.alloc(0);
  #correlation = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => this.#take(bytes));
    socket.on("close", () => {
      for (const { reject } of this.#waiting) reject(new Error("the broker closed the stream connection"));
    });
  }

  static async connect(host: string): Promise<Peer> {
    const socket = connect(PORT, host);
    await once(socket, "connect");
    return new Peer(socket);
  }

  send(key: number, parts: readonly Buffer[]): void {
    const body = Buffer.concat([u16(key), u16(1), ...parts]);
    this.#socket.write(Buffer.concat([u32(body.length), body]));
  }

  /** The payload behind key and version of the next frame with this key. */
  next(key: number): Promise<Buffer> {
    return new Promise((resolve, reject) => this.#waiting.push({ key, resolve, reject }));
  }

  /** Sends a request and rejects unless the broker answers that all is well. */
  async call(key: number, parts: readonly Buffer[]): Promise<void> {
    const answered = this.next(key);
    this.send(key, [u32(++this.#correlation), ...parts]);
    const code = (await answered).readUInt16BE(4);
    if (code !== 1) throw new Error(`command ${key} was answered with ${code}`);
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#received.length >= 4 && this.#received.length >= 4 + this.#received.readUInt32BE(0)) {
      const end = 4 + this.#received.readUInt32BE(0);
      const frame = this.#received.subarray(4, end);
      this.#received = this.#received.subarray(end);
      const key = frame.readUInt16BE(0) & 0x7fff;
      const at = this.#waiting.findIndex((each) => each.key === key);
      if (at >= 0) this.#waiting.splice(at, 1)[0]?.resolve(frame.subarray(4));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    return Promise.resolve();
  }
}

function u8(value: number): Buffer {
  return Buffer.from([value]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u16(bytes.length), bytes]);
}
