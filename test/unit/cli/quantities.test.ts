import { describe, expect, it } from "vitest";

import {
  parseByteRate,
  parseDuration,
  parsePercent,
  parseRate,
  parseSize,
  parseSizeOrPercent,
  parseSwitch,
  parseWhole,
} from "../../../src/cli/quantities.ts";

describe("parseDuration", () => {
  it.each([
    ["500ms", 500],
    ["90s", 90_000],
    ["15m", 900_000],
    ["2h", 7_200_000],
    ["1h30m", 5_400_000],
    ["1h 30m", 5_400_000],
    ["1.5s", 1500],
    ["1d", 86_400_000],
  ])("%s is %i ms", (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(["", "10", "10x", "m", "-1s", "1h30", "1s,2s", "1 h x"])("refuses %j", (text) => {
    expect(() => parseDuration(text)).toThrow(RangeError);
  });
});

describe("parseSize", () => {
  it.each([
    ["1048576", 1_048_576],
    ["64MiB", 67_108_864],
    ["64m", 67_108_864],
    ["1GB", 1_000_000_000],
    ["1 kB", 1000],
    ["1.5KiB", 1536],
    ["10b", 10],
  ])("%s is %i bytes", (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(["", "MiB", "-1", "1 XB", "1e3", "none", "5none"])("refuses %j", (text) => {
    expect(() => parseSize(text)).toThrow(RangeError);
  });
});

it("tells percentages from sizes", () => {
  expect(parsePercent("50 %")).toBe(0.5);
  expect(parseSizeOrPercent("12.5%")).toEqual({ part: 0.125 });
  expect(parseSizeOrPercent("1GiB")).toEqual({ bytes: 1 << 30 });
  expect(() => parseSizeOrPercent("101%")).toThrow(RangeError);
  expect(() => parseSizeOrPercent("%")).toThrow(RangeError);
});

it.each([
  ["5000", { per: "messages", amount: 5000 }],
  ["5000 messages/s", { per: "messages", amount: 5000 }],
  ["20MiB", { per: "bytes", amount: 20 << 20 }],
  ["20MiB/s", { per: "bytes", amount: 20 << 20 }],
])("takes rate %s", (text, rate) => expect(parseRate(text)).toEqual(rate));

it.each(["0", "fast", "", "/s", "-3"])("refuses rate %j", (text) =>
  expect(() => parseRate(text)).toThrow(/is not a rate/),
);

it.each([
  ["20MiB", 20 << 20],
  ["20MiB/s", 20 << 20],
  ["2MB / second", 2e6],
  ["65536", 65_536],
])("takes %s as bytes a second", (text, rate) => expect(parseByteRate(text)).toBe(rate));

it.each(["0", "0MiB/s", "fast", "", "/s", "-3", "5 messages", "1MiB/m"])(
  "refuses %j as bytes a second",
  (text) => expect(() => parseByteRate(text)).toThrow(/is not a rate such as 20MiB/),
);

it("takes whole numbers within bounds", () => {
  expect(parseWhole("-5", -10)).toBe(-5);
  expect(() => parseWhole("1.5", 0)).toThrow("not a whole number of at least 0");
  expect(() => parseWhole("20", 1, 19)).toThrow("not a whole number from 1 to 19");
  expect(() => parseWhole("", 0)).toThrow(RangeError);
});

it("takes the usual words for yes and no", () => {
  expect(["true", "YES", "on", "1"].map(parseSwitch)).toEqual([true, true, true, true]);
  expect(["false", "no", "Off", "0", ""].map(parseSwitch)).toEqual([false, false, false, false, false]);
  expect(() => parseSwitch("maybe")).toThrow(RangeError);
});
