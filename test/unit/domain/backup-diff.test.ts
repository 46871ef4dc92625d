import fc from "fast-check";
import { expect, test } from "vitest";
import { MessageComparison, type MessageDiff } from "../../../src/domain/backup-diff.ts";

/** Fingerprints of messages that are told apart by one byte. */
function fingerprints(messages: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(messages.length * 16);
  for (const [at, message] of messages.entries()) bytes.fill(message, at * 16, at * 16 + 16);
  return bytes;
}

function compared(before: readonly number[], after: readonly number[], pieces = 1): MessageDiff {
  const comparison = new MessageComparison(fingerprints(before), before.length);
  const size = Math.max(1, Math.ceil(after.length / pieces));
  for (let at = 0; at < after.length; at += size) comparison.add(fingerprints(after.slice(at, at + size)));
  return comparison.result();
}

test.each<[string, number[], number[], MessageDiff]>([
  ["nothing", [], [], { kept: 0, added: 0, gone: 0, reordered: false }],
  ["the same", [1, 2, 3], [1, 2, 3], { kept: 3, added: 0, gone: 0, reordered: false }],
  ["consumed and published", [1, 2, 3], [2, 3, 4, 5], { kept: 2, added: 2, gone: 1, reordered: false }],
  ["emptied and refilled", [1, 2], [3, 4], { kept: 0, added: 2, gone: 2, reordered: false }],
  ["given back to the tail", [1, 2, 3], [2, 3, 1], { kept: 3, added: 0, gone: 0, reordered: true }],
  ["one of three alike is gone", [7, 7, 7, 1], [7, 7, 1], { kept: 3, added: 0, gone: 1, reordered: false }],
  ["more alike than there were", [7], [7, 7, 7], { kept: 1, added: 2, gone: 0, reordered: false }],
])("%s", (_, before, after, expected) => {
  expect(compared(before, after)).toEqual(expected);
});

test("counts are those of multisets, however the fingerprints come", () => {
  const queue = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 40 });
  fc.assert(
    fc.property(queue, queue, fc.integer({ min: 1, max: 9 }), (before, after, pieces) => {
      const left = [...before];
      const kept = after.filter((message) => {
        const at = left.indexOf(message);
        if (at >= 0) left.splice(at, 1);
        return at >= 0;
      }).length;
      const { reordered, ...counts } = compared(before, after, pieces);
      expect(counts).toEqual({ kept, added: after.length - kept, gone: before.length - kept });
      expect(reordered && kept < 2).toBe(false);
    }),
  );
});

test("without identical messages, reordered is what it says", () => {
  const queue = fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { maxLength: 20 });
  fc.assert(
    fc.property(queue, queue, (before, after) => {
      const places = after.map((message) => before.indexOf(message)).filter((at) => at >= 0);
      const ascending = places.every((at, nth) => nth === 0 || at > (places[nth - 1] ?? -1));
      expect(compared(before, after).reordered).toBe(!ascending);
    }),
  );
});
