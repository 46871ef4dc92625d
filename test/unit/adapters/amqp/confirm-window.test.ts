import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfirmWindow } from "../../../../src/adapters/amqp/confirm-window.ts";

const CAPACITY = 16;

describe("confirm window", () => {
  it("counts as confirmed only what has no hole before it", () => {
    const window = filled(5);
    window.settle(3, false, false);
    window.settle(2, false, false);
    expect(window.confirmed).toBe(0);
    window.settle(1, false, false);
    expect(window.confirmed).toBe(3);
    window.settle(5, true, false);
    expect(window.confirmed).toBe(5);
    expect(window.inFlight).toBe(0);
    expect(window.inFlightBytes).toBe(0);
  });

  it("never counts a refused message nor what follows it", () => {
    const window = filled(6);
    window.settle(2, true, false);
    window.settle(4, false, true);
    window.settle(6, true, false);
    expect(window.confirmed).toBe(3);
    expect(window.inFlight).toBe(0);
  });

  it("takes a refusal of all up to a number for the first of them that was open", () => {
    const window = filled(6);
    window.settle(2, true, false);
    window.settle(5, true, true);
    expect(window.confirmed).toBe(2);
  });

  it("gives the times of the marked messages that are settled, once", () => {
    const window = new ConfirmWindow(CAPACITY);
    window.add(1);
    window.mark(10);
    window.add(1);
    window.add(1);
    window.mark(30);
    window.settle(2, true, false);
    expect(window.takeMarks()).toEqual([10]);
    window.settle(3, false, false);
    expect(window.takeMarks()).toEqual([30]);
    expect(window.takeMarks()).toEqual([]);
  });

  it("agrees with a plain list of what was settled, in any order", () => {
    const step = fc.record({ add: fc.nat({ max: 6 }), pick: fc.nat(), multiple: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const window = new ConfirmWindow(CAPACITY);
        const open: boolean[] = [];
        for (const { add, pick, multiple } of steps) {
          for (let i = 0; i < add && window.inFlight < CAPACITY; i++) {
            window.add(open.length + 1);
            open.push(true);
          }
          const candidates = open.flatMap((isOpen, i) => (isOpen ? [i] : []));
          const chosen = candidates[pick % Math.max(1, candidates.length)];
          if (chosen === undefined) continue;
          for (let i = multiple ? 0 : chosen; i <= chosen; i++) open[i] = false;
          window.settle(chosen + 1, multiple, false);
          const firstOpen = open.indexOf(true);
          const confirmed = firstOpen < 0 ? open.length : firstOpen;
          expect(window.confirmed).toBe(confirmed);
          expect(window.inFlight).toBe(open.length - confirmed);
          const bytes = open.slice(confirmed).reduce((sum, _, i) => sum + confirmed + i + 1, 0);
          expect(window.inFlightBytes).toBe(bytes);
        }
      }),
    );
  });
});

function filled(messages: number): ConfirmWindow {
  const window = new ConfirmWindow(CAPACITY);
  for (let i = 0; i < messages; i++) window.add(100);
  return window;
}
