import fc from "fast-check";
import { expect, test } from "vitest";
import { RandomSample } from "../../../src/domain/random-sample.ts";

function drawn(total: number, part: number, random: () => number): number[] {
  const sample = new RandomSample(total, part, random);
  return Array.from({ length: total }, (_, at) => at).filter(() => sample.takes());
}

test("it takes exactly its part, rounded up, whatever chance brings", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 200 }),
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (total, part, numbers) => {
        const random = (): number => numbers.next().value ?? 0;
        expect(drawn(total, part, random)).toHaveLength(Math.ceil(total * part));
      },
    ),
  );
});

test("every choice is as likely as any other", () => {
  // All pairs of six, by every mixture of a fine grid of chance.
  const seen = new Map<string, number>();
  const steps = 12;
  for (let grid = 0; grid < steps ** 3; grid += 1) {
    const numbers = [grid % steps, Math.floor(grid / steps) % steps, Math.floor(grid / steps ** 2)];
    let next = 0;
    const choice = drawn(3, 1 / 3, () => ((numbers[next++] ?? 0) + 0.5) / steps).join();
    seen.set(choice, (seen.get(choice) ?? 0) + 1);
  }
  const each = steps ** 3 / 3;
  expect(seen).toEqual(
    new Map([
      ["0", each],
      ["1", each],
      ["2", each],
    ]),
  );
});

test("beyond its end nothing is taken", () => {
  const sample = new RandomSample(1, 1, () => 0);
  expect([sample.takes(), sample.takes(), sample.takes()]).toEqual([true, false, false]);
});
