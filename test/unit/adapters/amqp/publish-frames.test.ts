import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  framedBytes,
  largestProperties,
  PublishFrames,
  type Piece,
  type PublishedMessage,
} from "../../../../src/adapters/amqp/publish-frames.ts";

const FRAME_MAX = 4096;
const CHANNEL = 513;
const CHUNK = 1000;

interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

describe("publish frames", () => {
  it("say what basic.publish must say, byte by byte", () => {
    const bytes = framesOf({
      exchange: Buffer.from("ex"),
      routingKey: Buffer.from("key"),
      properties: Buffer.from("8000036e2f61", "hex"),
      body: Buffer.from("hi"),
    });
    expect(bytes.toString("hex")).toBe(
      [
        "01" + "0201" + "0000000e" + "003c0028" + "0000" + "026578" + "036b6579" + "01" + "ce",
        "02" + "0201" + "00000012" + "003c" + "0000" + "0000000000000002" + "8000036e2f61" + "ce",
        "03" + "0201" + "00000002" + "6869" + "ce",
      ].join(""),
    );
  });

  it("carry all messages whole and in order, in frames no longer than the limit, copied or not", () => {
    const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max });
    const anyMessage = fc.record({
      exchange: bytes(255),
      routingKey: bytes(255),
      properties: bytes(300),
      body: fc.oneof(
        bytes(40),
        fc.integer({ min: 4000, max: 40_000 }).map((size) => new Uint8Array(size).fill(size)),
      ),
    });
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 8 }), (messages) => {
        const frames = parse(framesOf(...messages));
        expect(
          frames.every(({ channel, payload }) => channel === CHANNEL && payload.length + 8 <= FRAME_MAX),
        ).toBe(true);
        for (const message of messages) expect(takeMessage(frames)).toEqual(hexOf(message));
        expect(frames).toEqual([]);
      }),
    );
  });

  it("lie in memory that is used again, but only when it was written", () => {
    const step = fc.record({
      sizes: fc.array(fc.nat(900), { minLength: 1, maxLength: 5 }),
      written: fc.nat(6),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const frames = new PublishFrames(CHANNEL, FRAME_MAX, CHUNK);
        const underWay: { piece: Piece; copy: string }[] = [];
        let fill = 0;
        for (const { sizes, written } of steps) {
          for (const size of sizes) frames.append(messageOf(new Uint8Array(size).fill(fill++)));
          underWay.push(...frames.take().map((piece) => ({ piece, copy: hex(piece.bytes) })));
          for (const { piece, copy } of underWay) expect(hex(piece.bytes)).toBe(copy);
          for (const { piece } of underWay.splice(0, written)) piece.written();
        }
      }),
    );
    const frames = new PublishFrames(CHANNEL, FRAME_MAX, CHUNK);
    const memory = new Set<ArrayBufferLike>();
    for (let i = 0; i < 50; i++) {
      frames.append(messageOf(new Uint8Array(600)));
      for (const piece of frames.take()) {
        memory.add(piece.bytes.buffer);
        piece.written();
      }
    }
    expect(memory.size).toBe(1);
  });

  it("leave room for exactly so many bytes of properties", () => {
    const properties = new Uint8Array(largestProperties(FRAME_MAX));
    const nothing = new Uint8Array(0);
    const [, header] = parse(framesOf({ exchange: nothing, routingKey: nothing, properties, body: nothing }));
    expect((header?.payload.length ?? 0) + 8).toBe(FRAME_MAX);
  });
});

/** Takes the frames of one message off the front, and gives what they carry. */
function takeMessage(frames: Frame[]): ReturnType<typeof hexOf> {
  const [method, header] = frames.splice(0, 2);
  const address = method?.payload ?? Buffer.alloc(0);
  const properties = header?.payload ?? Buffer.alloc(0);
  const key = 7 + (address[6] ?? 0);
  const bodyBytes = Number(properties.readBigUInt64BE(4));
  const body: Buffer[] = [];
  while (frames[0]?.type === 3) body.push(frames.shift()?.payload ?? Buffer.alloc(0));
  expect([method?.type, header?.type, Buffer.concat(body).length]).toEqual([1, 2, bodyBytes]);
  return hexOf({
    exchange: address.subarray(7, key),
    routingKey: address.subarray(key + 1, -1),
    properties: properties.subarray(12),
    body: Buffer.concat(body),
  });
}

function messageOf(body: Uint8Array): PublishedMessage {
  return { exchange: Buffer.from("x"), routingKey: Buffer.from("key"), properties: Buffer.alloc(2), body };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function hexOf({ exchange, routingKey, properties, body }: PublishedMessage): readonly string[] {
  return [exchange, routingKey, properties, body].map((bytes) => Buffer.from(bytes).toString("hex"));
}

function framesOf(...messages: readonly PublishedMessage[]): Buffer {
  const frames = new PublishFrames(CHANNEL, FRAME_MAX, CHUNK);
  for (const message of messages) frames.append(message);
  const expected = messages.reduce((sum, message) => sum + framedBytes(message, FRAME_MAX), 0);
  expect(frames.bytes).toBe(expected);
  const bytes = Buffer.concat(frames.take().map((piece) => piece.bytes));
  expect(bytes.length).toBe(expected);
  expect(frames.bytes).toBe(0);
  expect(frames.take()).toEqual([]);
  return bytes;
}

function parse(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 7 + bytes.readUInt32BE(at + 3);
    expect(bytes[end]).toBe(0xce);
    frames.push({
      type: bytes[at] ?? 0,
      channel: bytes.readUInt16BE(at + 1),
      payload: bytes.subarray(at + 7, end),
    });
    at = end + 1;
  }
  return frames;
}
