import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mapQueueName, parseQueueMapping } from "../../../src/domain/queue-mapping.ts";

describe("queue mapping", () => {
  it.each([
    ["orders=restored", "orders", "restored"],
    ["orders=restored", "orders2", null],
    ["orders.*=old.*", "orders.eu", "old.eu"],
    ["orders.*=old.*", "orders.", "old."],
    ["orders.*=old.*", "orders", null],
    ["*=copy of *", "a", "copy of a"],
    ["*.*=*/*", "a.b.c", "a/b.c"],
    ["*-dlq=dlq", "orders-dlq", "dlq"],
    ["a*b*c=*", "a1b2c", "1"],
    ["ab*ba=x*", "aba", null],
    ["a*a=*", "a", null],
    [String.raw`a\=b=c`, "a=b", "c"],
    [String.raw`\*=star\*`, "*", "star*"],
    [String.raw`\*=star`, "x", null],
    [String.raw`a\b=c`, String.raw`a\b`, "c"],
    [String.raw`a\\=b`, "a\\", "b"],
  ])("%s renames %s to %s", (text, name, renamed) => {
    expect(parseQueueMapping(text).rename(name)).toBe(renamed);
  });

  it.each(["", "a", "=", "a=", "=b", "a=b=c", "a=*", "*=**", String.raw`a\=b`])("%j is refused", (text) => {
    expect(() => parseQueueMapping(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });

  it("takes the first that matches, and leaves other names alone", () => {
    const mappings = ["a*=first", "ab=second"].map(parseQueueMapping);
    expect(mapQueueName("ab", mappings)).toBe("first");
    expect(mapQueueName("b", mappings)).toBe("b");
  });

  it("maps every name to itself by *=*", () => {
    const mapping = parseQueueMapping("*=*");
    fc.assert(fc.property(fc.string({ minLength: 1 }), (name) => mapping.rename(name) === name));
  });

  it("maps a literal with its special characters escaped", () => {
    const escaped = (text: string): string => text.replaceAll(/[\\*=]/g, String.raw`\$&`);
    const name = fc.string({ minLength: 1, unit: fc.constantFrom("a", "*", "=", "\\") });
    fc.assert(
      fc.property(name, name, (from, to) => {
        const mapping = parseQueueMapping(`${escaped(from)}=${escaped(to)}`);
        expect(mapping.rename(from)).toBe(to);
        expect(mapping.rename(`${from}a`)).toBeNull();
      }),
    );
  });
});
