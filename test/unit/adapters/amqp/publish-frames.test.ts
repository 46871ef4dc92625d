import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bodyFrameBytes,
  headBytes,
  largestProperties,
  writeBody,
  writeHead,
  type PublishedMessage,
} from "../../../../src/adapters/amqp/publish-frames.ts";

const FRAME_MAX = 4096;
const CHANNEL = 513;

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

  it("carry every message whole, in frames no longer than the limit", () => {
    const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max });
    const anyMessage = fc.record({
      exchange: bytes(255),
      routingKey: bytes(255),
      properties: bytes(300),
      body: fc.oneof(
        bytes(40),
        fc.integer({ min: 4000, max: 13_000 }).map((size) => new Uint8Array(size).fill(7)),
      ),
    });
    fc.assert(
      fc.property(anyMessage, (message) => {
        const frames = parse(framesOf(message));
        const [method, header, ...bodies] = frames;
        expect(
          frames.every(({ channel, payload }) => channel === CHANNEL && payload.length + 8 <= FRAME_MAX),
        ).toBe(true);
        expect(frames.map(({ type }) => type)).toEqual([1, 2, ...bodies.map(() => 3)]);
        const key = 7 + message.exchange.length;
        expect(method?.payload.subarray(7, key)).toEqual(Buffer.from(message.exchange));
        expect(method?.payload.subarray(key + 1, -1)).toEqual(Buffer.from(message.routingKey));
        expect(header?.payload.readBigUInt64BE(4)).toBe(BigInt(message.body.length));
        expect(header?.payload.subarray(12)).toEqual(Buffer.from(message.properties));
        expect(Buffer.concat(bodies.map(({ payload }) => payload))).toEqual(Buffer.from(message.body));
      }),
    );
  });

  it("leave room for exactly so many bytes of properties", () => {
    const properties = new Uint8Array(largestProperties(FRAME_MAX));
    const nothing = new Uint8Array(0);
    const [, header] = parse(framesOf({ exchange: nothing, routingKey: nothing, properties, body: nothing }));
    expect((header?.payload.length ?? 0) + 8).toBe(FRAME_MAX);
  });
});

function framesOf(message: PublishedMessage): Buffer {
  const bytes = Buffer.alloc(headBytes(message) + bodyFrameBytes(message.body.length, FRAME_MAX));
  const head = writeHead(bytes, 0, CHANNEL, message);
  expect(head).toBe(headBytes(message));
  expect(writeBody(bytes, head, CHANNEL, message.body, FRAME_MAX)).toBe(bytes.length);
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
