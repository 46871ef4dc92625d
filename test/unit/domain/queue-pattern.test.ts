import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { compileQueuePattern } from "../../../src/domain/queue-pattern.ts";

const queueName = fc.oneof(
  fc
    .array(fc.integer({ min: 0, max: 0x10_ff_ff }), { minLength: 1, maxLength: 40 })
    .map((codes) => String.fromCodePoint(...codes)),
  fc.string({
    unit: fc.constantFrom(..."ab./\\*?[]{},!-()|+@\"'$^#~ \n".split("")),
    minLength: 1,
    maxLength: 20,
  }),
);

function escaped(name: string): string {
  return name.replaceAll(/[\\*?[\]{}]/g, String.raw`\$&`);
}

describe("compileQueuePattern", () => {
  it.each([
    ["*", "a/b.c", true],
    ["*", ".", true],
    ["*", "..", true],
    ["*", "two\nlines", true],
    ["orders.*", "orders.eu/1", true],
    ["orders.*", "orders.", true],
    ["orders.*", "orders", false],
    ["orders.*", "Orders.a", false],
    ["*.dlq", "a/b.dlq", true],
    ["a/*", "a/b/c", true],
    ["?", "/", true],
    ["a?c", "a.c", true],
    ["a?c", "ac", false],
    ["a[bc]", "ab", true],
    ["a[!bc]", "ab", false],
    ["a[!bc]", "ad", true],
    ["{orders,billing}.*", "billing.x", true],
    ["{orders,billing}.*", "other.x", false],
    [String.raw`a\*b`, "a*b", true],
    [String.raw`a\*b`, "axb", false],
    ["a[c-b]", "a-", true],
    [String.raw`a[\]x]`, "a]", true],
    ["{a*,}b", "b", true],
    ["{a*,}b", "axb", true],
    ["{a*}b", "{axy}b", true],
    [String.raw`{a\,b,c}`, "a,b", true],
    ["caf?", "caf😀", true],
    ["!a", "!a", true],
    ["!a", "b", false],
    ["!a*", "b", false],
    ["(a|b)*", "a", false],
    ["(a|b)*", "(a|b)c", true],
    ['"a*"', "abc", false],
  ])("%j against %j: %j", (pattern, name, expected) => {
    expect(compileQueuePattern(pattern).matches(name)).toBe(expected);
  });

  it("knows an exact name from a pattern", () => {
    expect(compileQueuePattern("orders.eu/1").exact).toBe("orders.eu/1");
    expect(compileQueuePattern(String.raw`what\?`).exact).toBe("what?");
    expect(compileQueuePattern(String.raw`back\\slash`).exact).toBe(String.raw`back\slash`);
    expect(compileQueuePattern("orders.*").exact).toBeNull();
    expect(compileQueuePattern("a{b}").exact).toBe("a{b}");
    expect(compileQueuePattern("a[b").exact).toBe("a[b");
    expect(compileQueuePattern("a{b,c}").exact).toBeNull();
  });

  it("never fails to compile", () => {
    fc.assert(
      fc.property(
        queueName,
        queueName,
        (pattern, name) => typeof compileQueuePattern(pattern).matches(name) === "boolean",
      ),
    );
  });

  it("matches a queue that is spelled like the pattern, whatever it holds", () => {
    fc.assert(
      fc.property(
        queueName,
        (name) => compileQueuePattern(name).exact !== null || compileQueuePattern(name).matches(name),
      ),
    );
  });

  it("takes an escaped name for that name and no other", () => {
    fc.assert(
      fc.property(queueName, queueName, (name, other) => {
        const pattern = compileQueuePattern(escaped(name));
        expect(pattern.exact).toBe(name);
        expect(pattern.matches(name)).toBe(true);
        expect(pattern.matches(other)).toBe(other === name);
      }),
    );
  });

  it("lets a star stand for any name", () => {
    fc.assert(fc.property(queueName, (name) => compileQueuePattern("*").matches(name)));
    fc.assert(
      fc.property(queueName, queueName, (a, b) => compileQueuePattern(`${escaped(a)}*`).matches(a + b)),
    );
  });
});
