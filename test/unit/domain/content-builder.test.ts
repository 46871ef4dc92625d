import fc from "fast-check";
import { expect, test } from "vitest";
import { ContentBuilder, heldContent } from "../../../src/domain/content-builder.ts";
import type { ContentRange, QueueEntry } from "../../../src/domain/manifest.ts";
import { NEW } from "../../../src/domain/sequence-diff.ts";

const FULL = "20261121-193200F";
const BASE = "20261121-193200F_20261121-194000I";

/** Ten messages: four of the full, two of its own, four of the full again. */
const HELD = heldContent(BASE, {
  ordinal: 3,
  content: [
    { kind: "kept", backup: FULL, ordinal: 1, first: 5, count: 4 },
    { kind: "new", first: 0, count: 2 },
    { kind: "kept", backup: FULL, ordinal: 1, first: 20, count: 4 },
  ],
} as unknown as QueueEntry);

function kept(first: number, count: number, backup = FULL, ordinal = 1): ContentRange {
  return { kind: "kept", backup, ordinal, first, count };
}

test("what the base keeps from others is named by the backup that holds it", () => {
  expect(HELD).toEqual([kept(5, 4), kept(0, 2, BASE, 3), kept(20, 4)]);
});

test("kept ranges follow the base, new ones count up, neighbours of two pieces are one", () => {
  const builder = new ContentBuilder(HELD);
  expect(builder.add(Int32Array.of(2, 3))).toEqual([]);
  expect(builder.add(Int32Array.of(4, 5, 6, NEW, NEW))).toEqual([{ first: 3, count: 2 }]);
  expect(builder.add(Int32Array.of(NEW, 9, 0, 1))).toEqual([{ first: 0, count: 1 }]);
  expect(builder.content).toEqual([
    kept(7, 2),
    kept(0, 2, BASE, 3),
    kept(20, 1),
    { kind: "new", first: 0, count: 3 },
    kept(23, 1),
    kept(5, 2),
  ]);
});

test("what lies together at its holder is one range, wherever the base had it", () => {
  const builder = new ContentBuilder([kept(8, 2), kept(3, 5)] as never);
  builder.add(Int32Array.of(2, 3, 4, 5, 6, 0, 1));
  expect(builder.content).toEqual([kept(3, 7)]);
});

test("everything from a position on", () => {
  const builder = new ContentBuilder(HELD);
  builder.keepFrom(5);
  builder.add(Int32Array.of(NEW));
  expect(builder.content).toEqual([kept(1, 1, BASE, 3), kept(20, 4), { kind: "new", first: 0, count: 1 }]);
});

test("of a shuffled piece the longest ranges are kept and the rest is stored", () => {
  const builder = new ContentBuilder([kept(0, 10_000)] as never);
  // 200 stretches of one message and, between them, 10 of a hundred.
  const positions: number[] = [];
  for (let at = 0; at < 200; at += 1) {
    positions.push(9000 - at * 2);
    if (at % 20 === 0) positions.push(...Array.from({ length: 100 }, (_, i) => at * 10 + i));
  }
  const stored = builder.add(Int32Array.from(positions));
  const ranges = builder.content.filter(({ kind }) => kind === "kept");
  expect(ranges).toHaveLength(64);
  expect(ranges.filter(({ count }) => count === 100)).toHaveLength(10);
  expect(stored.reduce((sum, { count }) => sum + count, 0)).toBe(200 - 54);
});

test("whatever is kept and stored, the content is the queue", () => {
  const position = fc.integer({ min: NEW, max: 9 });
  fc.assert(
    fc.property(fc.array(fc.array(position, { maxLength: 12 }), { maxLength: 5 }), (pieces) => {
      const builder = new ContentBuilder(HELD);
      const stored: string[] = [];
      const expected = pieces.flatMap((piece, nth) =>
        piece.map((each, at) => (each === NEW ? `${nth}.${at}` : JSON.stringify(placesOf(HELD)[each]))),
      );
      for (const [nth, piece] of pieces.entries()) {
        for (const { first, count } of builder.add(Int32Array.from(piece))) {
          for (let at = first; at < first + count; at += 1) stored.push(`${nth}.${at}`);
        }
      }
      const found = builder.content.flatMap((range) =>
        range.kind === "new"
          ? stored.slice(range.first, range.first + range.count)
          : placesOf([range]).map((place) => JSON.stringify(place)),
      );
      expect(found).toEqual(expected);
    }),
  );
});

function placesOf(ranges: readonly ContentRange[]): ContentRange[] {
  return ranges.flatMap((range) =>
    Array.from({ length: range.count }, (_, at) => ({ ...range, first: range.first + at, count: 1 })),
  );
}
