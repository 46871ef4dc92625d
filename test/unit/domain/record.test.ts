import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BackupError } from "../../../src/domain/errors.ts";
import {
  SEGMENT_HEADER_BYTES,
  checkRecords,
  fingerprintInputs,
  readRecords,
  recordBytes,
  writeRecord,
  writeSegmentHeader,
} from "../../../src/domain/record.ts";
import { anyHeaders, anyProperties, encodeProperties, header, longstr, shortText } from "./wire-values.ts";
import type { MessageRecord } from "../../../src/domain/message.ts";

const anyRecord: fc.Arbitrary<MessageRecord> = fc
  .record({
    redelivered: fc.boolean(),
    exchange: shortText,
    routingKey: shortText,
    streamOffset: fc.option(fc.maxSafeNat()),
    properties: anyProperties.map(encodeProperties),
    body: fc.uint8Array({ maxLength: 300 }),
  })
  .map(({ streamOffset, ...record }) => (streamOffset === null ? record : { ...record, streamOffset }));

const PLAIN: MessageRecord = {
  redelivered: false,
  exchange: Buffer.from("e"),
  routingKey: Buffer.from("key"),
  properties: Buffer.of(0x10, 0, 2),
  body: Buffer.from("body"),
};

function segmentOf(records: readonly MessageRecord[]): Buffer {
  const bytes = records.reduce((total, record) => total + recordBytes(record), SEGMENT_HEADER_BYTES);
  const segment = Buffer.alloc(bytes);
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength);
  let at = writeSegmentHeader(view);
  for (const record of records) at = writeRecord(record, segment, view, at);
  expect(at).toBe(bytes);
  return segment;
}

/** Bytes in Buffers, so that views of whatever kind compare. */
function plain(record: MessageRecord): MessageRecord {
  const { exchange, routingKey, properties, body } = record;
  return {
    ...record,
    exchange: Buffer.from(exchange),
    routingKey: Buffer.from(routingKey),
    properties: Buffer.from(properties),
    body: Buffer.from(body),
  };
}

function read(segment: Uint8Array, expected: number): MessageRecord[] {
  return [...readRecords(segment, expected)].map(plain);
}

function fingerprints(segment: Uint8Array): string[] {
  return [...fingerprintInputs(segment)].map((pieces) =>
    createHash("sha256").update(Buffer.concat(pieces)).digest("hex"),
  );
}

/** How reading three records ends: with them, or with which error. */
function outcome(segment: Uint8Array): string {
  return resultOf(() => read(segment, 3).length);
}

function checked(segment: Uint8Array, expected: number): string {
  return resultOf(() => {
    checkRecords(segment, expected);
    return expected;
  });
}

function resultOf(count: () => number): string {
  try {
    return `${count()} records`;
  } catch (error) {
    return error instanceof BackupError ? error.code : String(error);
  }
}

function damage(code = "ARCHIVE_DAMAGED") {
  return expect.objectContaining({ name: "BackupError", code });
}

describe("records", () => {
  it("come back as they were written, in order", () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 6 }), (records) => {
        expect(read(segmentOf(records), records.length)).toEqual(records.map(plain));
      }),
    );
  });

  it("are views of the segment", () => {
    const segment = segmentOf([PLAIN]);
    const [record] = readRecords(segment, 1);
    expect(record?.body.buffer).toBe(segment.buffer);
    expect(record?.properties.buffer).toBe(segment.buffer);
  });

  it("have no stream offset when they were written without", () => {
    expect(read(segmentOf([PLAIN]), 1)[0]).not.toHaveProperty("streamOffset");
    expect(read(segmentOf([{ ...PLAIN, streamOffset: 0 }]), 1)[0]).toHaveProperty("streamOffset", 0);
  });

  it("may be empty in every part and as long as a short string goes", () => {
    const none = Buffer.alloc(0);
    const full = Buffer.alloc(255, 0xff);
    const records = [
      { redelivered: false, exchange: none, routingKey: none, properties: none, body: none },
      { redelivered: true, exchange: full, routingKey: full, properties: none, body: none },
    ];
    expect(read(segmentOf(records), 2)).toEqual(records);
  });

  it("are refused when AMQP could not carry them", () => {
    const long = new Uint8Array(256);
    expect(() => recordBytes({ ...PLAIN, exchange: long })).toThrow(damage("INTERNAL"));
    expect(() => recordBytes({ ...PLAIN, routingKey: long })).toThrow(damage("INTERNAL"));
  });
});

describe("readRecords", () => {
  const records = [PLAIN, { ...PLAIN, streamOffset: 7 }, { ...PLAIN, body: Buffer.from("the third") }];
  const segment = segmentOf(records);

  it("refuses a segment cut at any byte", () => {
    for (let length = 0; length < segment.length; length++) {
      expect(() => read(segment.subarray(0, length), 3), `cut at ${length}`).toThrow(damage());
    }
  });

  it("refuses what follows the records", () => {
    expect(() => read(Buffer.concat([segment, Buffer.alloc(1)]), 3)).toThrow(damage());
    expect(() => read(Buffer.concat([segment, Buffer.alloc(64)]), 3)).toThrow(damage());
    expect(() => read(segmentOf([...records, PLAIN]), 3)).toThrow(damage());
  });

  it("never gives more records than expected", () => {
    const given: MessageRecord[] = [];
    const readTwo = () => {
      for (const record of readRecords(segment, 2)) given.push(record);
    };
    expect(readTwo).toThrow(damage());
    expect(given).toHaveLength(2);
  });

  it("refuses a record that its parts do not fill", () => {
    const one = segmentOf([PLAIN]);
    const lengthAt = one.length - PLAIN.body.length - 4;
    for (const length of [0, PLAIN.body.length - 1, PLAIN.body.length + 1]) {
      const changed = Buffer.from(one);
      changed.writeUInt32BE(length, lengthAt);
      expect(() => read(changed, 1)).toThrow(damage());
    }
    for (let length = 0; length < 11; length++) {
      const short = Buffer.alloc(SEGMENT_HEADER_BYTES + 4 + length);
      segment.copy(short, 0, 0, SEGMENT_HEADER_BYTES);
      short.writeUInt32BE(length, SEGMENT_HEADER_BYTES);
      expect(() => read(short, 1)).toThrow(damage());
    }
  });

  it("refuses any other magic, version 0 and reserved bits", () => {
    const changed = (at: number, byte: number) => Buffer.from(segment).fill(byte, at, at + 1);
    for (const at of [0, 1, 2, 3]) expect(() => read(changed(at, 0x20), 3)).toThrow(damage());
    expect(() => read(changed(5, 0), 3)).toThrow(damage());
    expect(() => read(changed(6, 1), 3)).toThrow(damage());
    expect(() => read(changed(7, 1), 3)).toThrow(damage());
  });

  it("says that a segment is newer", () => {
    const newer = Buffer.from(segment).fill(2, 5, 6);
    expect(() => read(newer, 3)).toThrow(damage("FORMAT_NEWER"));
  });

  it("refuses flags it does not know", () => {
    for (const flag of [4, 8, 16, 32, 64, 128]) {
      const flagged = Buffer.from(segment);
      flagged[SEGMENT_HEADER_BYTES + 4] = flag;
      expect(() => read(flagged, 3)).toThrow(damage());
    }
  });

  it("refuses stream offsets beyond 2^53 - 1", () => {
    const huge = segmentOf([{ ...PLAIN, streamOffset: 2 ** 53 - 1 }]);
    expect(read(huge, 1)).toHaveLength(1);
    huge.writeBigUInt64BE(2n ** 53n, SEGMENT_HEADER_BYTES + 5);
    expect(() => read(huge, 1)).toThrow(damage());
  });

  it("refuses absurd lengths wherever they are, and takes no memory for them", () => {
    for (let at = SEGMENT_HEADER_BYTES; at < segment.length - 3; at++) {
      const absurd = Buffer.from(segment);
      absurd.writeUInt32BE(0xffff_fff0, at);
      const before = process.memoryUsage().arrayBuffers;
      // Contents may be overwritten without harm; lengths may not.
      expect(outcome(absurd)).toMatch(/^(3 records|ARCHIVE_DAMAGED)$/);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
    }
  });

  it("gives records or refuses, whatever the bytes", () => {
    const flip = fc.record({ at: fc.nat(segment.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(flip, { minLength: 1, maxLength: 3 }), (flips) => {
        const changed = Buffer.from(segment);
        for (const { at, byte } of flips) changed[at] = byte;
        expect(outcome(changed)).toMatch(/^(3 records|ARCHIVE_DAMAGED|FORMAT_NEWER)$/);
        expect(checked(changed, 3)).toBe(outcome(changed));
      }),
      { numRuns: 2000 },
    );
  });

  it("refuses what checkRecords refuses, and nothing else", () => {
    for (let length = 0; length <= segment.length; length++) {
      const cut = segment.subarray(0, length);
      expect(checked(cut, 3)).toBe(outcome(cut));
    }
    for (const expected of [0, 2, 4]) expect(checked(segment, expected)).toBe("ARCHIVE_DAMAGED");
    expect(checked(Buffer.concat([segment, Buffer.alloc(9)]), 3)).toBe("ARCHIVE_DAMAGED");
  });
});

describe("fingerprints", () => {
  it("are taken of one piece of the segment when the headers are in order", () => {
    const segment = segmentOf([{ ...PLAIN, redelivered: true, streamOffset: 4 }]);
    const [pieces] = fingerprintInputs(segment);
    expect(pieces).toHaveLength(1);
    expect(pieces?.[0]?.buffer).toBe(segment.buffer);
    expect(Buffer.concat(pieces ?? []).toString("latin1")).toBe(
      "\u0001e\u0003key\0\0\0\u0003\u0010\0\u0002\0\0\0\u0004body",
    );
  });

  it("do not tell orders of headers, deliveries and offsets apart", () => {
    const input = anyHeaders.chain((headers) =>
      fc.tuple(fc.constant(headers), fc.shuffledSubarray(headers, { minLength: headers.length })),
    );
    fc.assert(
      fc.property(anyRecord, input, fc.option(fc.nat()), (record, [headers, others], streamOffset) => {
        const one = { ...record, properties: encodeProperties({ headers }) };
        const again = {
          ...record,
          properties: encodeProperties({ headers: others }),
          redelivered: !record.redelivered,
        };
        const moved = streamOffset === null ? again : { ...again, streamOffset };
        expect(fingerprints(segmentOf([moved]))).toEqual(fingerprints(segmentOf([one])));
      }),
    );
  });

  it("tell every other difference", () => {
    const headers = [header("b", longstr("1")), header("a", longstr("2"))];
    const unsorted = { ...PLAIN, properties: encodeProperties({ headers }) };
    const records: MessageRecord[] = [
      PLAIN,
      { ...PLAIN, exchange: Buffer.from("ek"), routingKey: Buffer.from("ey") },
      { ...PLAIN, exchange: Buffer.from("f") },
      { ...PLAIN, routingKey: Buffer.from("kez") },
      { ...PLAIN, properties: Buffer.of(0x10, 0, 1) },
      { ...PLAIN, body: Buffer.from("bodx") },
      { ...PLAIN, properties: Buffer.of(0, 0), body: Buffer.from("\u0002body") },
      unsorted,
      { ...unsorted, body: Buffer.from("bodx") },
      { ...unsorted, properties: encodeProperties({ headers: headers.slice(1) }) },
    ];
    expect(new Set(fingerprints(segmentOf(records))).size).toBe(records.length);
  });

  it("are not taken of a damaged segment", () => {
    const segment = segmentOf([PLAIN, PLAIN]);
    expect(() => fingerprints(segment.subarray(0, -1))).toThrow(damage());
  });
});
