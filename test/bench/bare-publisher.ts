import { bodyRing } from "./bodies.ts";
import {
  FRAME,
  METHOD,
  frame,
  longString,
  methodFrame,
  shortString,
  u16,
  u32,
  u64,
  u8,
  Wire,
} from "./wire.ts";

// The floor of a restore, and what fills the queues: publishes persistent messages with confirms, frames made beforehand.
//   bare-publisher <url> <messages for each queue> <body bytes> <queue>...
// Prints {"seconds"}: from the first byte to the last confirm.

/** Unconfirmed at most. */
const WINDOW_MESSAGES = 4096;
const WINDOW_BYTES = 32 * 1024 * 1024;
const CHUNK_BYTES = 128 * 1024;

async function main([url = "", count = "0", bytes = "0", ...queues]: readonly string[]): Promise<void> {
  const wires = await Promise.all(queues.map(async () => Wire.connect(url)));
  for (const wire of wires) await wire.call(METHOD.confirm, METHOD.confirmOk, u8(0));
  const rings = queues.map((queue) => messageRing(queue, Number(count), Number(bytes)));
  const began = performance.now();
  await Promise.all(wires.map(async (wire, i) => publish(wire, rings[i] ?? [], Number(count))));
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(JSON.stringify({ seconds }) + "\n", () => process.exit(0));
}

/** Publish, header and body frames of each message in one piece. */
function messageRing(queue: string, count: number, bytes: number): readonly Buffer[] {
  const request = methodFrame(1, METHOD.publish, [u16(0), shortString(""), shortString(queue), u8(1)]);
  return bodyRing(count, bytes).map((body, i) => {
    const header = frame(FRAME.header, 1, [u16(60), u16(0), u64(body.length), properties(i)]);
    return Buffer.concat([request, header, frame(FRAME.body, 1, [body])]);
  });
}

/** Content type, two headers, delivery mode 2, message id, timestamp: what publishers usually set. */
function properties(number: number): Buffer {
  const table = Buffer.concat([
    shortString("n"),
    Buffer.from("I"),
    u32(number),
    shortString("source"),
    Buffer.from("S"),
    longString("shop"),
  ]);
  const flags = 0x8000 | 0x2000 | 0x1000 | 0x0080 | 0x0040;
  return Buffer.concat([
    u16(flags),
    shortString("application/json"),
    u32(table.length),
    table,
    u8(2),
    shortString(`message-${number}`),
    u64(1_750_000_000 + number),
  ]);
}

async function publish(wire: Wire, ring: readonly Buffer[], count: number): Promise<void> {
  const window = Math.max(1, Math.min(WINDOW_MESSAGES, Math.floor(WINDOW_BYTES / (ring[0]?.length ?? 1))));
  let sent = 0;
  let confirmed = 0;
  const early = new Set<number>();
  await new Promise<void>((resolve, reject) => {
    wire.socket.on("close", () => reject(new Error("the connection was closed")));
    wire.socket.on("drain", more);
    wire.listener = {
      method: (id, payload) => {
        if (id !== METHOD.ack) return;
        settle(Number(payload.readBigUInt64BE(4)), payload[12] === 1);
        if (confirmed === count) resolve();
        else if (sent - confirmed <= window * 0.75) more();
      },
    };
    more();
  });

  function settle(tag: number, multiple: boolean): void {
    if (multiple) confirmed = Math.max(confirmed, tag);
    else early.add(tag);
    while (early.delete(confirmed + 1)) confirmed += 1;
  }

  function more(): void {
    while (sent < count && sent - confirmed < window && !wire.socket.writableNeedDrain) {
      const pieces: Buffer[] = [];
      let bytes = 0;
      while (sent < count && sent - confirmed < window && bytes < CHUNK_BYTES) {
        const piece = ring[sent % ring.length] ?? Buffer.alloc(0);
        pieces.push(piece);
        bytes += piece.length;
        sent += 1;
      }
      wire.socket.write(pieces.length === 1 ? (pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(pieces, bytes));
    }
  }
}

await main(process.argv.slice(2));
