import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recordBytes, readRecords } from "../../../src/domain/record.ts";
import { SegmentBuilder } from "../../../src/repository/segment-builder.ts";
import type { MessageRecord } from "../../../src/domain/message.ts";

const HEADER = 8;

function record(bodyBytes: number, fill = 0x61): MessageRecord {
  return {
    redelivered: false,
    exchange: Buffer.from("exchange"),
    routingKey: Buffer.from("key"),
    properties: Buffer.of(0x10, 0, 2),
    body: new Uint8Array(bodyBytes).fill(fill),
  };
}

function bodies(segment: Uint8Array, records: number): number[] {
  return [...readRecords(segment, records)].map(({ body }) => body.length);
}

describe("SegmentBuilder", () => {
  it("gives every record once, in order, in segments within the limit", () => {
    const input = fc.tuple(
      fc.integer({ min: 60, max: 2000 }),
      fc.array(fc.nat(700), { minLength: 1, maxLength: 40 }),
    );
    fc.assert(
      fc.property(input, ([limit, sizes]) => {
        const builder = new SegmentBuilder(limit);
        const got: number[] = [];
        const take = () => {
          const { padded, plainBytes, records } = builder.take();
          expect(padded.length % 512).toBe(0);
          expect(padded.length - plainBytes).toBeLessThan(512);
          expect(padded.subarray(plainBytes).every((byte) => byte === 0)).toBe(true);
          expect(plainBytes <= limit || records === 1).toBe(true);
          got.push(...bodies(padded.subarray(0, plainBytes), records));
        };
        for (const size of sizes) {
          if (builder.append(record(size))) continue;
          take();
          expect(builder.append(record(size))).toBe(true);
        }
        take();
        expect(got).toEqual(sizes);
      }),
    );
  });

  it("takes as much as fits exactly, and not a byte more", () => {
    const one = recordBytes(record(100));
    const exact = new SegmentBuilder(HEADER + 3 * one);
    expect([100, 100, 100].map((size) => exact.append(record(size)))).toEqual([true, true, true]);
    expect(exact.append(record(0))).toBe(false);
    const short = new SegmentBuilder(HEADER + 3 * one - 1);
    expect([100, 100, 100].map((size) => short.append(record(size)))).toEqual([true, true, false]);
    expect(short.append(record(99))).toBe(true);
  });

  it("says how much it holds, and nothing after a refusal", () => {
    const builder = new SegmentBuilder(300);
    expect([builder.records, builder.plainBytes]).toEqual([0, 0]);
    builder.append(record(100));
    const held = HEADER + recordBytes(record(100));
    expect([builder.records, builder.plainBytes]).toEqual([1, held]);
    expect(builder.append(record(300))).toBe(false);
    expect([builder.records, builder.plainBytes]).toEqual([1, held]);
    builder.take();
    expect([builder.records, builder.plainBytes]).toEqual([0, 0]);
  });

  it("takes one record beyond the limit alone, then goes on as before", () => {
    const builder = new SegmentBuilder(1000);
    expect(builder.append(record(5000))).toBe(true);
    expect(builder.append(record(0))).toBe(false);
    const huge = builder.take();
    expect(bodies(huge.padded.subarray(0, huge.plainBytes), 1)).toEqual([5000]);
    expect(builder.append(record(100))).toBe(true);
    const usual = builder.take();
    expect(usual.padded.buffer.byteLength).toBe(1024);
    expect(bodies(usual.padded.subarray(0, usual.plainBytes), 1)).toEqual([100]);
  });

  it("copies: the records may change at once, and segments share no memory", () => {
    const builder = new SegmentBuilder(4096);
    const source = record(10, 1);
    builder.append(source);
    source.body.fill(9);
    const first = builder.take();
    builder.append(record(10, 2));
    const second = builder.take();
    expect(first.padded.buffer).not.toBe(second.padded.buffer);
    const [read] = readRecords(first.padded.subarray(0, first.plainBytes), 1);
    expect([...(read?.body ?? [])]).toEqual(Array.from({ length: 10 }, () => 1));
  });

  it("hands over memory that can be transferred", () => {
    const builder = new SegmentBuilder(4096);
    builder.append(record(10));
    const { padded } = builder.take();
    const moved = structuredClone(padded, { transfer: [padded.buffer as ArrayBuffer] });
    expect(moved.length).toBe(512);
    expect(padded.length).toBe(0);
  });

  it("has nothing to hand over before the first record", () => {
    expect(() => new SegmentBuilder(4096).take()).toThrow(expect.objectContaining({ code: "INTERNAL" }));
  });
});
