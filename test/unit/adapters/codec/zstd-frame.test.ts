import fc from "fast-check";
import { compress } from "zstd-napi";
import { describe, expect, it } from "vitest";
import { frameContentBytes } from "../../../../src/adapters/codec/zstd-frame.ts";

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

describe("frameContentBytes", () => {
  it.each([0, 1, 255, 256, 257, 65_791, 65_792, 1_000_000])("reads what zstd wrote for %i bytes", (bytes) => {
    expect(frameContentBytes(compress(Buffer.alloc(bytes, 1)))).toBe(bytes);
  });

  it("gives null where zstd was told not to write it", () => {
    expect(frameContentBytes(compress(Buffer.alloc(5000), { contentSizeFlag: false }))).toBeNull();
  });

  // Laid out by hand from RFC 8878, 3.1.1.1: descriptor, window, dictionary id, content size.
  it.each<[string, number[], number | null]>([
    ["one byte in a single segment", [0x20, 200], 200],
    ["no content size", [0x00, 0x58], null],
    ["two bytes, which count from 256", [0x40, 0x58, 0x01, 0x02], 0x0201 + 256],
    ["two bytes in a single segment", [0x60, 0x00, 0x00], 256],
    ["four bytes", [0x80, 0x58, 1, 2, 3, 4], 0x04030201],
    ["eight bytes", [0xe0, 0, 0, 0, 0, 0, 1, 0, 0], 2 ** 40],
    ["eight bytes behind a one-byte dictionary id", [0xe1, 9, 5, 0, 0, 0, 0, 0, 0, 0], 5],
    ["one byte behind a two-byte dictionary id", [0x22, 9, 9, 7], 7],
    ["one byte behind a four-byte dictionary id", [0x23, 9, 9, 9, 9, 7], 7],
    ["a reserved bit", [0x28, 200], null],
    ["a size cut short", [0x80, 0x58, 1, 2, 3], null],
    ["a size missing behind the dictionary id", [0x23, 9, 9, 9, 9], null],
  ])("reads %s", (_what, header, bytes) => {
    expect(frameContentBytes(Uint8Array.from([...MAGIC, ...header]))).toBe(bytes);
  });

  it("gives null for anything that does not begin like a frame", () => {
    expect(frameContentBytes(Uint8Array.from(MAGIC))).toBeNull();
    expect(frameContentBytes(Buffer.of(0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0))).toBeNull();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        expect(frameContentBytes(bytes)).toBeNull();
      }),
    );
  });
});
