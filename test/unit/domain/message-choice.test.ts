import fc from "fast-check";
import { expect, test } from "vitest";
import { MessageChoice } from "../../../src/domain/message-choice.ts";

test("a choice tells what was chosen, in order", () => {
  const queue = fc.integer({ min: 0, max: 90 }).chain((total) =>
    fc.record({
      total: fc.constant(total),
      chosen: fc.subarray(Array.from({ length: total }, (_, n) => n)),
    }),
  );
  fc.assert(
    fc.property(queue, fc.nat(90), fc.nat(20), ({ total, chosen }, from, count) => {
      const choice = new MessageChoice(total);
      for (const sequence of chosen) choice.add(sequence, sequence);
      expect(choice.count).toBe(chosen.length);
      expect(choice.bodyBytes).toBe(chosen.reduce((sum, sequence) => sum + sequence, 0));
      for (let sequence = 0; sequence < total + 9; sequence += 1)
        expect(choice.has(sequence)).toBe(chosen.includes(sequence));
      for (const [number, sequence] of chosen.entries()) expect(choice.sequenceOf(number)).toBe(sequence);
      expect(choice.sequenceOf(chosen.length)).toBe(total);
      expect(choice.hasAny(from, count)).toBe(chosen.some((each) => each >= from && each < from + count));
    }),
  );
});
