import { once } from "node:events";
import { connect } from "node:net";
import type { LabVhost } from "./vhost.ts";

/**
 * Publishes one message over AMQP 1.0 (RabbitMQ 4.0 and newer) that has an application property of type uuid, which the
 * broker cannot deliver over AMQP 0-9-1. Resolves when the broker has accepted it.
 */
export async function publishUndeliverable(vhost: LabVhost, queue: string): Promise<void> {
  const { host, amqpPort, username, password } = vhost.broker;
  const socket = connect(amqpPort, host);
  let received = Buffer.alloc(0);
  socket.on("data", (bytes) => (received = Buffer.concat([received, bytes])));
  const until = async (mark: Buffer): Promise<void> => {
    while (!received.includes(mark)) await once(socket, "data", { signal: AbortSignal.timeout(10_000) });
    received = received.subarray(received.indexOf(mark) + mark.length);
  };
  await once(socket, "connect");
  socket.write(Buffer.from("AMQP\x03\x01\x00\x00", "latin1"));
  const plain = Buffer.from(`\0${username}\0${password}`);
  socket.write(frame(1, described(0x41, list(symbol("PLAIN"), binary(plain)))));
  await until(code(0x44)); // sasl-outcome
  socket.write(Buffer.from("AMQP\x00\x01\x00\x00", "latin1"));
  socket.write(frame(0, described(0x10, list(text("lab"), text(`vhost:${vhost.name}`)))));
  socket.write(frame(0, described(0x11, list(NULL, uint(0), uint(100), uint(100)))));
  const source = described(0x28, list());
  const target = described(0x29, list(text(`/queues/${encodeURIComponent(queue)}`)));
  socket.write(
    frame(
      0,
      described(0x12, list(text("link"), uint(0), FALSE, NULL, NULL, source, target, NULL, NULL, uint(0))),
    ),
  );
  await until(code(0x13)); // flow: there is credit
  const properties = described(
    0x74,
    map(text("id"), Buffer.concat([Buffer.from([0x98]), Buffer.alloc(16, 7)])),
  );
  const message = Buffer.concat([properties, described(0x75, binary(Buffer.from("undeliverable")))]);
  const transfer = described(0x14, list(uint(0), uint(0), binary(Buffer.from("1")), uint(0), FALSE));
  socket.write(frame(0, Buffer.concat([transfer, message])));
  await until(code(0x24)); // accepted
  socket.destroy();
}

const NULL = Buffer.from([0x40]);
const FALSE = Buffer.from([0x42]);

function code(descriptor: number): Buffer {
  return Buffer.from([0x00, 0x53, descriptor]);
}

function described(descriptor: number, value: Buffer): Buffer {
  return Buffer.concat([code(descriptor), value]);
}

function frame(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8, 0);
  head.writeUInt8(2, 4);
  head.writeUInt8(type, 5);
  return Buffer.concat([head, body]);
}

function list(...items: readonly Buffer[]): Buffer {
  return compound(0xd0, items);
}

function map(...keysAndValues: readonly Buffer[]): Buffer {
  return compound(0xd1, keysAndValues);
}

function compound(constructor: number, items: readonly Buffer[]): Buffer {
  const content = Buffer.concat([...items]);
  const head = Buffer.alloc(9);
  head.writeUInt8(constructor, 0);
  head.writeUInt32BE(content.length + 4, 1);
  head.writeUInt32BE(items.length, 5);
  return Buffer.concat([head, content]);
}

function uint(value: number): Buffer {
  const bytes = Buffer.alloc(5, 0x70);
  bytes.writeUInt32BE(value, 1);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([0xa1, bytes.length]), bytes]);
}

function symbol(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([0xa3, bytes.length]), bytes]);
}

function binary(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0xa0, bytes.length]), bytes]);
}
