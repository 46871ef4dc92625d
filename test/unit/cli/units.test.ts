import { expect, it } from "vitest";

import {
  formatAge,
  formatBytes,
  formatCount,
  formatCounted,
  formatDuration,
  formatPercent,
  formatTime,
} from "../../../src/cli/units.ts";

it.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "0.98 KiB"],
  [1536, "1.50 KiB"],
  [999 * 1024, "999 KiB"],
  [1000 * 1024, "0.98 MiB"],
  [5 * 1024 ** 4, "5.00 TiB"],
])("formats %i bytes as %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

it.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [1234, "1.23 s"],
  [59_940, "59.9 s"],
  [60_000, "1 m 00 s"],
  [125_400, "2 m 05 s"],
  [3_600_000, "1 h 00 m"],
  [86_400_000, "24 h 00 m"],
])("formats %i ms as %s", (ms, text) => expect(formatDuration(ms)).toBe(text));

it.each([
  [59_999, "59 s"],
  [60_000, "1 m"],
  [7_199_000, "1 h"],
  [47 * 3_600_000, "47 h"],
  [48 * 3_600_000, "2 d"],
  [1200 * 86_400_000, "1,200 d"],
  [-7_300_000, "in 2 h"],
])("formats the age %i as %s", (ms, text) => expect(formatAge(ms)).toBe(text));

it.each([
  [0, "0 %"],
  [0.000_01, "less than 0.01 %"],
  [0.1234, "12.3 %"],
  [0.999_999, "more than 99.99 %"],
  [1, "100 %"],
])("formats the part %d as %s", (part, text) => expect(formatPercent(part)).toBe(text));

it("groups digits and knows one from many", () => {
  expect(formatCount(1_234_567)).toBe("1,234,567");
  expect(formatCounted(1, "message")).toBe("1 message");
  expect(formatCounted(0, "message")).toBe("0 messages");
});

it("names the zone of a time", () => {
  expect(formatTime(new Date("2026-11-21T19:32:00Z"))).toMatch(/^2026-11-2[12] \d\d:\d\d:00 \S+$/);
});
