import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { QueueCount } from "../../../../src/adapters/amqp/held-channel.ts";
import { Patience, type NothingMore } from "../../../../src/adapters/amqp/patience.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("patience", () => {
  it("ends when nothing has been ready for long enough", async () => {
    expect(await verdictAfter({ ready: 0, consumers: 1 }, 4500)).toBeNull();
    expect(await verdictAfter({ ready: 0, consumers: 1 }, 6000)).toBe("TAKEN");
  });

  it("does not end by a count that is no answer, or while something is ready, until it has lasted too long", async () => {
    for (const count of [
      { ready: 0, consumers: 0 },
      { ready: 9, consumers: 1 },
    ]) {
      expect(await verdictAfter(count, 29_000)).toBeNull();
      expect(await verdictAfter(count, 31_000)).toBe("STALLED");
    }
  });

  it("without consumers of ours, nothing is an answer", async () => {
    expect(await verdictAfter({ ready: 0, consumers: 0 }, 6000, { isAttached: false })).toBe("TAKEN");
  });

  it("starts anew with every delivery and every batch that was taken", async () => {
    const state = { delivered: 0 };
    const patience = patienceWith({ ready: 0, consumers: 1 }, { state });
    await wait(patience, 4000);
    state.delivered = 1;
    expect(await wait(patience, 4000)).toBeNull();
    const slow = patienceWith({ ready: 5, consumers: 1 });
    await vi.advanceTimersByTimeAsync(60_000);
    slow.progressed();
    expect(await wait(slow, 29_000)).toBeNull();
  });

  it("takes a count that fails for none", async () => {
    const patience = new Patience({
      held: { count: () => Promise.reject(new Error("gone")) },
      state: { delivered: 0 },
      quietMs: 5000,
      isAttached: true,
    });
    expect(await wait(patience, 10_000)).toBeNull();
  });
});

function patienceWith(
  count: QueueCount,
  more: { isAttached?: boolean; state?: { delivered: number } } = {},
): Patience {
  return new Patience({
    held: { count: () => Promise.resolve(count) },
    state: { delivered: 0 },
    quietMs: 5000,
    isAttached: true,
    ...more,
  });
}

function verdictAfter(count: QueueCount, ms: number, more = {}): Promise<NothingMore | null> {
  return wait(patienceWith(count, more), ms);
}

/** Asks every 200 ms, as the iteration does. */
async function wait(patience: Patience, ms: number): Promise<NothingMore | null> {
  let verdict: NothingMore | null = null;
  for (let waited = 0; waited < ms && !verdict; waited += 200) {
    verdict = patience.verdict();
    await vi.advanceTimersByTimeAsync(200);
  }
  return verdict;
}
