import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { QueueCount } from "../../../../src/adapters/amqp/held-channel.ts";
import { countWhileHeld, untilCounted, untilShown } from "../../../../src/adapters/amqp/quorum-count.ts";
import { inFakeTime } from "../../../fakes/fake-time.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const NOTHING = { ready: 0, consumers: 0 };

describe("a count of nothing", () => {
  it("is no answer while something of ours is attached", async () => {
    expect(await inFakeTime(countWhileHeld(answering([NOTHING])))).toBeNull();
    const one = { ready: 0, consumers: 1 };
    expect(await inFakeTime(countWhileHeld(answering([one])))).toEqual(one);
  });

  it("is asked again, for as long as one cares to wait", async () => {
    const answer = { ready: 7, consumers: 2 };
    expect(await inFakeTime(untilCounted(answering([NOTHING, NOTHING, answer]), 1000))).toEqual(answer);
    expect(await inFakeTime(untilCounted(answering([NOTHING]), 1000))).toBeNull();
  });

  it("is believed when it came fast, and not when it came as late as a leader's silence", async () => {
    expect(await inFakeTime(shown(answering([NOTHING], 50)))).toEqual(NOTHING);
    expect(await inFakeTime(shown(answering([NOTHING], 250)))).toBeNull();
  });
});

/** The first count that is believed, within a second. */
function shown(held: { count(): Promise<QueueCount> }): Promise<QueueCount | null> {
  return untilShown(
    () => held.count(),
    () => true,
    1000,
  );
}

/** These answers one after the other, the last of them for ever, each after `takesMs`. */
function answering(answers: readonly QueueCount[], takesMs = 1): { count(): Promise<QueueCount> } {
  let asked = 0;
  return {
    async count() {
      await new Promise((resolve) => setTimeout(resolve, takesMs));
      return answers[Math.min(asked++, answers.length - 1)] ?? NOTHING;
    },
  };
}
