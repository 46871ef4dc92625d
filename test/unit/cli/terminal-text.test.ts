import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatTable, painter, visible, widthOf } from "../../../src/cli/terminal-text.ts";

const anyText = fc
  .array(fc.integer({ min: 0, max: 0x10_ff_ff }))
  .map((codes) => String.fromCodePoint(...codes));

describe("visible", () => {
  it.each([
    ["orders.eu", "orders.eu"],
    ["日本語 é", "日本語 é"],
    ["a\nb\tc", String.raw`a\nb\tc`],
    ["\u001B[31mred", String.raw`\u{1b}[31mred`],
    ["abc\u202Edef", String.raw`abc\u{202e}def`],
    ["zero\u200Bwidth", String.raw`zero\u{200b}width`],
    ["\uD800", String.raw`\u{d800}`],
  ])("shows %j as %s", (text, shown) => expect(visible(text)).toBe(shown));

  it("lets nothing through that steers a terminal", () => {
    fc.assert(fc.property(anyText, (text) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(visible(text))));
  });
});

it("knows wide and combining characters", () => {
  expect(widthOf("abc")).toBe(3);
  expect(widthOf("日本")).toBe(4);
  expect(widthOf("e\u0301")).toBe(1);
  expect(widthOf("😀")).toBe(2);
});

it("aligns a table by what is seen", () => {
  const lines = formatTable(
    [{ title: "NAME" }, { title: "N", align: "right" }, { title: "X" }],
    [
      ["日本", "5", ""],
      ["orders", "1,234", "y"],
    ],
  );
  expect(lines).toEqual(["NAME        N  X", "日本        5", "orders  1,234  y"]);
  expect(formatTable([{ title: "NAME" }], [])).toEqual([]);
});

it("paints only when it may", () => {
  expect(painter(true)("x", "red")).toBe("\u001B[31mx\u001B[39m");
  expect(painter(false)("x", "red")).toBe("x");
});
