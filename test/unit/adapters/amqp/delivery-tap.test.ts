import { Duplex } from "node:stream";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  copyOf,
  DeliveryTap,
  type Delivery,
  type DeliverySink,
} from "../../../../src/adapters/amqp/delivery-tap.ts";
import type { RawConnection } from "../../../../src/adapters/amqp/raw-connection.ts";
import { ReceiveMemory } from "../../../../src/adapters/amqp/receive-memory.ts";

const FRAME_MAX = 256;
/** Two frames just fit. */
const SLAB_BYTES = 600;
const TAPPED = 3;
const OTHER = 4;

afterEach(() => vi.useRealTimers());

describe("the delivery tap", () => {
  it("gives every delivery whole and lets everything else pass, however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(anything, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 40 }),
        (items, cuts) => {
          const wire = new Wire();
          const sink = wire.tap(TAPPED);
          const bytes = Buffer.concat(items.map(bytesOf));
          const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
          let from = 0;
          for (const to of [...places, bytes.length]) {
            wire.receive(bytes.subarray(from, to));
            from = to;
          }
          expect(sink.seen).toEqual(items.flatMap(seenBySink));
          expect(wire.passed).toEqual(items.flatMap(passed).map(hex));
        },
      ),
    );
  });

  it("is cut at every byte", () => {
    const items: Item[] = [
      { kind: "message", message: message({ body: Buffer.alloc(600, "x") }), parts: 3 },
      { kind: "other", frame: HEARTBEAT },
      { kind: "message", message: message({ got: true, body: Buffer.alloc(0) }), parts: 1 },
      { kind: "empty" },
      {
        kind: "message",
        message: message({ redelivered: true, properties: Buffer.from("0000", "hex") }),
        parts: 1,
      },
    ];
    const bytes = Buffer.concat(items.map(bytesOf));
    for (let cut = 0; cut <= bytes.length; cut++) {
      const wire = new Wire();
      const sink = wire.tap(TAPPED);
      wire.receive(bytes.subarray(0, cut));
      wire.receive(bytes.subarray(cut));
      expect(sink.seen).toEqual(items.flatMap(seenBySink));
      expect(wire.passed).toEqual([hex(HEARTBEAT)]);
    }
  });

  it("keeps apart what several channels receive at once", () => {
    const wire = new Wire();
    const tap = new DeliveryTap(wire.raw, wire.memory);
    const [one, two] = [new Sink(), new Sink()];
    tap.listen(TAPPED, one);
    tap.listen(OTHER, two);
    const framesOfOne = framesOf(message({ body: Buffer.alloc(500, 1) }), 5, TAPPED);
    const framesOfTwo = framesOf(message({ body: Buffer.alloc(400, 2) }), 5, OTHER);
    wire.receive(Buffer.concat(framesOfOne.flatMap((each, i) => [each, framesOfTwo[i] ?? HEARTBEAT])));
    expect(one.seen).toEqual([shown(message({ body: Buffer.alloc(500, 1) }))]);
    expect(two.seen).toEqual([shown(message({ body: Buffer.alloc(400, 2) }))]);
  });

  it("hands what had arrived before it was there, and a delivery half received to the newer sink", async () => {
    const [first, second] = [
      message({ deliveryTag: 1 }),
      message({ deliveryTag: 2, body: Buffer.alloc(99, "b") }),
    ];
    const bytes = Buffer.concat([...framesOf(first, 1), ...framesOf(second, 2)]);
    const wire = new Wire(bytes.subarray(0, bytes.length - 20));
    wire.receive(bytes.subarray(bytes.length - 20, bytes.length - 10));
    const tap = new DeliveryTap(wire.raw, wire.memory);
    const [older, newer] = [new Sink(), new Sink()];
    tap.listen(TAPPED, older);
    await new Promise(setImmediate);
    tap.listen(TAPPED, newer);
    wire.receive(bytes.subarray(bytes.length - 10));
    expect(older.seen).toEqual([shown(first)]);
    expect(newer.seen).toEqual([shown(second)]);
  });

  it("says when all that was received has been handed over", () => {
    const wire = new Wire();
    const sink = wire.tap(TAPPED);
    wire.receive(Buffer.concat([...framesOf(message({}), 1), ...framesOf(message({}), 1)]));
    expect(sink.seen).toHaveLength(2);
    expect(sink.seenWhenDrained).toBe(2);
  });

  it("takes nothing while paused, and all of it afterwards", async () => {
    const wire = new Wire();
    const sink = new Sink();
    const tap = new DeliveryTap(wire.raw, wire.memory);
    tap.listen(TAPPED, sink);
    sink.onDelivery = () => tap.pause();
    const three = Buffer.concat(
      Array.from({ length: 3 }, () => bytesOf({ kind: "message", message: message({}), parts: 1 })),
    );
    wire.receive(three);
    expect(sink.seen).toHaveLength(1);
    wire.receive(three);
    expect(sink.seen).toHaveLength(1);
    sink.onDelivery = () => undefined;
    tap.resume();
    await new Promise(setImmediate);
    expect(sink.seen).toHaveLength(6);
  });

  it("keeps amqplib from taking a pause for a dead broker, and only a pause", () => {
    vi.useFakeTimers();
    const wire = new Wire();
    const tap = new DeliveryTap(wire.raw, wire.memory);
    tap.pause();
    tap.pause();
    for (let i = 0; i < 5; i++) {
      wire.raw.recvSinceLastCheck = false;
      vi.advanceTimersByTime((wire.raw.heartbeat * 1000) / 2);
      expect(wire.raw.recvSinceLastCheck).toBe(true);
    }
    tap.resume();
    wire.raw.recvSinceLastCheck = false;
    vi.advanceTimersByTime(60_000);
    expect(wire.raw.recvSinceLastCheck).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("counts as a sign of life what it reads itself", () => {
    const wire = new Wire();
    wire.tap(TAPPED);
    wire.receive(bytesOf({ kind: "empty" }));
    expect(wire.raw.recvSinceLastCheck).toBe(true);
  });

  it("keeps what is kept until it is given back, however little memory there is", () => {
    const input = fc.tuple(
      fc.array(anyMessage, { minLength: 1, maxLength: 40 }),
      fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 20 }),
    );
    fc.assert(
      fc.property(input, ([messages, pauses]) => {
        const wire = new Wire();
        const tap = new DeliveryTap(wire.raw, wire.memory);
        const sink = new Keeper(tap);
        tap.listen(TAPPED, sink);
        wire.receive(Buffer.concat(messages.flatMap((each) => framesOf(each, 1 + (each.body.length >> 7)))));
        const seen: string[] = [];
        for (let turn = 0; seen.length < messages.length; turn++) {
          const batch = sink.take();
          for (let i = 0; i < (pauses[turn % pauses.length] ?? 0); i++) wire.receive(HEARTBEAT);
          seen.push(...batch.map(shown));
          tap.giveBack();
          expect(turn).toBeLessThan(messages.length);
        }
        expect(seen).toEqual(messages.map(shown));
      }),
    );
  });

  it("does not read on while nothing is given back, until it is told to flow", () => {
    const wire = new Wire();
    const tap = new DeliveryTap(wire.raw, wire.memory);
    const sink = new Keeper(tap);
    tap.listen(TAPPED, sink);
    const many = Array.from({ length: 100 }, (_, i) => message({ deliveryTag: i }));
    const bytes = Buffer.concat(many.flatMap((each) => framesOf(each, 1)));
    wire.receive(bytes);
    expect(wire.unread).toBeGreaterThan(bytes.length - 2 * SLAB_BYTES);
    wire.raw.recvSinceLastCheck = false;
    const batch = sink.take();
    wire.receive(bytes);
    expect(wire.raw.recvSinceLastCheck).toBe(false);
    sink.isKeeping = false;
    tap.flow();
    expect(wire.unread).toBe(0);
    expect(sink.count).toBe(200);
    expect(batch.map(shown)).toEqual(many.slice(0, batch.length).map(shown));
  });

  it("copies what must stay valid", () => {
    const memory = Buffer.from("properties and body");
    const delivery = { ...message({}), properties: memory.subarray(0, 10), body: memory.subarray(15) };
    const copy = copyOf(delivery);
    const before = shown(delivery);
    memory.fill(0);
    expect(shown(copy)).toBe(before);
  });

  it.each([
    ["a frame without its end", broken(framesOf(message({}), 1)[0])],
    [
      "a body frame without its end",
      Buffer.concat([...framesOf(message({}), 1).slice(0, 2), broken(bodyFrame(1))]),
    ],
    ["more body than announced", Buffer.concat([...framesOf(message({}), 1).slice(0, 2), bodyFrame(200)])],
    ["a frame beyond the limit", frame(1, TAPPED, Buffer.alloc(FRAME_MAX + 1))],
  ])("throws at %s", (_what, bytes) => {
    for (const cut of [0, 9]) {
      const wire = new Wire();
      wire.tap(TAPPED);
      expect(() => {
        wire.receive(bytes.subarray(0, cut));
        wire.receive(bytes.subarray(cut));
      }).toThrow(/frame|content/i);
    }
  });
});

interface Message {
  readonly got: boolean;
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  readonly exchange: Buffer;
  readonly routingKey: Buffer;
  readonly properties: Buffer;
  readonly body: Buffer;
}

type Item =
  | { readonly kind: "message"; readonly message: Message; readonly parts: number }
  | { readonly kind: "empty" }
  | { readonly kind: "other"; readonly frame: Buffer };

function message(more: Partial<Message>): Message {
  return {
    got: false,
    deliveryTag: 7,
    redelivered: false,
    exchange: Buffer.from("orders"),
    routingKey: Buffer.from("orders.new"),
    properties: Buffer.from("100002", "hex"),
    body: Buffer.from("body"),
    ...more,
  };
}

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(7);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([0xce])]);
}

const HEARTBEAT = frame(8, 0, Buffer.alloc(0));
const GET_EMPTY = frame(1, TAPPED, Buffer.from("003c004800", "hex"));

/** basic.deliver (60, 60) or basic.get-ok (60, 71), content header, body frames. */
function framesOf(what: Message, parts: number, channel = TAPPED): Buffer[] {
  const tag = Buffer.alloc(9);
  tag.writeBigUInt64BE(BigInt(what.deliveryTag), 0);
  tag.writeUInt8(what.redelivered ? 1 : 0, 8);
  const method = what.got
    ? [
        Buffer.from("003c0047", "hex"),
        tag,
        shortstr(what.exchange),
        shortstr(what.routingKey),
        Buffer.alloc(4),
      ]
    : [
        Buffer.from("003c003c", "hex"),
        shortstr(Buffer.from("tag")),
        tag,
        shortstr(what.exchange),
        shortstr(what.routingKey),
      ];
  const header = Buffer.alloc(12);
  header.writeUInt16BE(60, 0);
  header.writeBigUInt64BE(BigInt(what.body.length), 4);
  const bodies: Buffer[] = [];
  const partBytes = Math.max(1, Math.min(FRAME_MAX - 8, Math.ceil(what.body.length / parts)));
  for (let at = 0; at < what.body.length; at += partBytes) {
    bodies.push(frame(3, channel, what.body.subarray(at, at + partBytes)));
  }
  return [
    frame(1, channel, Buffer.concat(method)),
    frame(2, channel, Buffer.concat([header, what.properties])),
    ...bodies,
  ];
}

function bodyFrame(bytes: number): Buffer {
  return frame(3, TAPPED, Buffer.alloc(bytes));
}

function broken(whole: Buffer | undefined): Buffer {
  const copy = Buffer.from(whole ?? "");
  copy[copy.length - 1] = 0;
  return copy;
}

function shortstr(text: Buffer): Buffer {
  return Buffer.concat([Buffer.from([text.length]), text]);
}

function bytesOf(item: Item): Buffer {
  switch (item.kind) {
    case "message":
      return Buffer.concat(framesOf(item.message, item.parts));
    case "empty":
      return GET_EMPTY;
    case "other":
      return item.frame;
  }
}

function seenBySink(item: Item): string[] {
  if (item.kind === "other") return [];
  return [item.kind === "empty" ? "empty" : shown(item.message)];
}

function passed(item: Item): Buffer[] {
  return item.kind === "other" ? [item.frame] : [];
}

function shown(what: Delivery): string {
  const texts = [what.exchange, what.routingKey, what.properties, what.body].map((bytes) =>
    hex(Buffer.from(bytes)),
  );
  return [what.deliveryTag, what.redelivered, ...texts].join(" ");
}

function hex(bytes: Buffer): string {
  return bytes.toString("hex");
}

const shortBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const anyMessage = fc.record({
  got: fc.boolean(),
  deliveryTag: fc.maxSafeNat(),
  redelivered: fc.boolean(),
  exchange: shortBytes,
  routingKey: shortBytes,
  properties: fc.uint8Array({ minLength: 2, maxLength: 90 }).map((bytes) => Buffer.from(bytes)),
  body: fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
});
/** Frames of the connection, of channels nobody listens to, and replies on the tapped one. */
const otherFrame = fc.oneof(
  fc.constant(HEARTBEAT),
  fc.tuple(fc.constantFrom(1, 2, 3), shortBytes).map(([type, payload]) => frame(type, OTHER, payload)),
  fc
    .constantFrom("003c0015", "0014000a", "003c0032", "0032000b")
    .map((id) => frame(1, TAPPED, Buffer.from(id, "hex"))),
);
const anything: fc.Arbitrary<Item> = fc.oneof(
  fc.record({
    kind: fc.constant("message" as const),
    message: anyMessage,
    parts: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ kind: fc.constant("empty" as const) }),
  fc.record({ kind: fc.constant("other" as const), frame: otherFrame }),
);

class Sink implements DeliverySink {
  readonly seen: string[] = [];
  seenWhenDrained = 0;
  onDelivery = (): void => undefined;

  delivery(delivery: Delivery): void {
    this.seen.push(shown(delivery));
    this.onDelivery();
  }

  empty(): void {
    this.seen.push("empty");
  }

  drained(): void {
    this.seenWhenDrained = this.seen.length;
  }
}

/** Keeps deliveries in batches, as an inbox does. */
class Keeper implements DeliverySink {
  count = 0;
  isKeeping = true;
  readonly #tap: DeliveryTap;
  #kept: Delivery[] = [];

  constructor(tap: DeliveryTap) {
    this.#tap = tap;
  }

  delivery(delivery: Delivery): void {
    this.count++;
    if (!this.isKeeping) return;
    this.#kept.push(delivery);
    this.#tap.keep();
  }

  empty(): void {}

  drained(): void {}

  take(): readonly Delivery[] {
    const batch = this.#kept;
    this.#kept = [];
    this.#tap.handOver();
    return batch;
  }
}

/** A connection of amqplib and its socket, as far as the tap touches them; what amqplib is asked to decode is noted. */
class Wire {
  readonly passed: string[] = [];
  readonly raw: RawConnection;
  readonly memory = new ReceiveMemory(SLAB_BYTES);
  readonly #socket = new Socket(this.memory);

  constructor(rest: Buffer = Buffer.alloc(0)) {
    this.#socket.on("readable", () => {
      while (this.raw.recvFrame());
    });
    const raw: RawConnection = {
      stream: this.#socket,
      rest,
      recvFrame: () => {
        if (raw.rest.length === 0) return false;
        this.passed.push(hex(raw.rest));
        raw.rest = Buffer.alloc(0);
        return {};
      },
      channels: [],
      frameMax: FRAME_MAX,
      heartbeat: 10,
      sentSinceLastCheck: false,
      recvSinceLastCheck: false,
      serverProperties: {},
    };
    this.raw = raw;
  }

  /** Bytes that nobody has read. */
  get unread(): number {
    return this.#socket.unread.length;
  }

  tap(channel: number): Sink {
    const sink = new Sink();
    new DeliveryTap(this.raw, this.memory).listen(channel, sink);
    return sink;
  }

  receive(bytes: Buffer): void {
    this.#socket.unread = Buffer.concat([this.#socket.unread, bytes]);
    this.#socket.readOn();
  }
}

/** Reads as sockets of Node do with `onread`: asks for its target after each call, stops at false, goes on when read from. */
class Socket extends Duplex {
  unread: Buffer = Buffer.alloc(0);
  readonly #memory: ReceiveMemory;
  #target: Uint8Array;
  #isReading = true;

  constructor(memory: ReceiveMemory) {
    super({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    this.#memory = memory;
    this.#target = memory.onread.buffer();
  }

  override read(size?: number): unknown {
    if (!this.#isReading) {
      this.#isReading = true;
      this.readOn();
    }
    return super.read(size);
  }

  readOn(): void {
    while (this.#isReading && this.unread.length > 0) {
      const bytes = Math.min(this.unread.length, this.#target.length);
      this.#target.set(this.unread.subarray(0, bytes));
      this.unread = this.unread.subarray(bytes);
      this.#isReading = this.#memory.onread.callback.call(this, bytes);
      this.#target = this.#memory.onread.buffer();
    }
  }
}
