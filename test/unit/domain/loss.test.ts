import { describe, expect, test } from "vitest";
import { gapsBefore, inFlight, isAccepted } from "../../../src/domain/loss.ts";

describe("in flight at the cut", () => {
  test.each([
    ["consumers attached: as told", { ready: 10, unacknowledged: 5 }, { ready: 12, consumers: 1 }, 5],
    [
      "nobody attached and all ready again: none",
      { ready: 0, unacknowledged: 100 },
      { ready: 100, consumers: 0 },
      0,
    ],
    [
      "nobody attached, some missing: those",
      { ready: 10, unacknowledged: 5 },
      { ready: 12, consumers: 0 },
      3,
    ],
    [
      "nobody attached, more published: none",
      { ready: 10, unacknowledged: 5 },
      { ready: 20, consumers: 0 },
      0,
    ],
    ["not told", { ready: null, unacknowledged: null }, { ready: 1, consumers: 1 }, null],
    ["a stream", { ready: 1, unacknowledged: 1 }, { ready: null, consumers: null }, null],
  ])("%s", (_, stale, cut, expected) => {
    expect(inFlight(stale, cut)).toBe(expected);
  });
});

test("unknown counts make no gap, and zero neither", () => {
  expect(gapsBefore(null, null)).toEqual([]);
  expect(gapsBefore(0, 0)).toEqual([]);
  expect(gapsBefore(3, 4).map(({ code, messages }) => [code, messages])).toEqual([
    ["IN_FLIGHT", 3],
    ["OUT_OF_REACH", 4],
  ]);
});

test("only what consumers had can be accepted", () => {
  const accept = new Set(["in-flight"]);
  const gap = (code: string) => ({ code, message: "", messages: 1 });
  expect(isAccepted(gap("IN_FLIGHT"), accept)).toBe(true);
  expect(isAccepted(gap("TAKEN"), accept)).toBe(true);
  expect(isAccepted(gap("HELD_TOO_LONG"), accept)).toBe(false);
  expect(isAccepted(gap("IN_FLIGHT"), new Set())).toBe(false);
});
