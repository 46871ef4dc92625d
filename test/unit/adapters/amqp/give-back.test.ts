import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  acknowledge,
  holdTheRest,
  mayBeOfThose,
  nackAll,
  type Holding,
} from "../../../../src/adapters/amqp/give-back.ts";
import type { QueueCount } from "../../../../src/adapters/amqp/held-channel.ts";
import { inFakeTime } from "../../../fakes/fake-time.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("settling", () => {
  it("tells a quorum queue of 16 consumers at once, and waits until it has done it", async () => {
    const queue = new FakeQueue({ slices: upTo(40).map((n) => (n + 1) * 10), delivered: 400 });
    await inFakeTime(nackAll(queue.holding, 0));
    expect(queue.told).toEqual(["cancel", "requeue 160", "requeue 320", "requeue 400"]);
    expect(queue.hasty).toBe(false);
  });

  it("counts tags from that of the first delivery", async () => {
    const queue = new FakeQueue({ slices: [1, 101], delivered: 80, firstTag: 4 });
    await inFakeTime(nackAll(queue.holding, 0));
    expect(queue.told).toEqual(["cancel", "requeue 83"]);
  });

  it("removes what was read, and gives back the rest", async () => {
    const queue = new FakeQueue({ slices: [10, 20, 30], delivered: 30 });
    await inFakeTime(acknowledge(queue.holding, 15));
    await inFakeTime(nackAll(queue.holding, 15));
    expect(queue.told).toEqual(["acknowledge 15", "cancel", "requeue 30"]);
  });

  it("gives back what arrives after the consumers were cancelled", async () => {
    const queue = new FakeQueue({ slices: [100], delivered: 40 });
    queue.onCount = (counts) => {
      if (counts === 3) queue.state.delivered = 50;
    };
    await inFakeTime(nackAll(queue.holding, 0));
    expect(queue.told).toEqual(["cancel", "requeue 40", "requeue 50"]);
  });

  it("gives a classic queue everything at once", async () => {
    const queue = new FakeQueue({ slices: [Infinity], delivered: 100_000, quorum: false });
    await inFakeTime(nackAll(queue.holding, 0));
    expect(queue.told).toEqual(["cancel", "requeue 100000"]);
  });
});

describe("before a part is given back", () => {
  it("nothing need be held that was never delivered before", async () => {
    const queue = new FakeQueue({ slices: [10], delivered: 10, lastRedelivered: false });
    expect(await inFakeTime(holdTheRest(queue.holding))).toBe(true);
    expect(queue.told).toEqual([]);
  });

  it("all that was given back before is taken, up to a message that was not", async () => {
    const queue = new FakeQueue({ slices: [10], delivered: 10, lastRedelivered: true, ready: 30 });
    queue.onAdd = () => {
      queue.state.delivered += 10;
      queue.state.lastRedelivered = queue.state.delivered < 40;
    };
    expect(await inFakeTime(holdTheRest(queue.holding))).toBe(true);
    expect(queue.told).toEqual(["add", "add", "add"]);
  });

  it("what is on its way is waited for, though nothing has arrived", async () => {
    const queue = new FakeQueue({ slices: [10], delivered: 0, ready: 5 });
    queue.onCount = (counts) => {
      if (counts === 3) Object.assign(queue.state, { delivered: 10, lastRedelivered: false });
    };
    expect(await inFakeTime(holdTheRest(queue.holding))).toBe(true);
    expect(queue.counts).toBeGreaterThanOrEqual(3);
  });

  it("no more is needed when nothing is left; but nothing without consumers is no answer", async () => {
    const queue = new FakeQueue({ slices: [10], delivered: 4, lastRedelivered: true, ready: 0 });
    queue.silent = 3;
    expect(await inFakeTime(holdTheRest(queue.holding))).toBe(true);
    expect(queue.counts).toBe(4);
  });

  it.each([
    ["no consumer may be added", { room: false, delivered: 10 }],
    ["the rest does not come in time", { delivered: 4, ready: 3 }],
    ["the channel is gone", { delivered: 4, gone: true }],
  ])("the order is not kept when %s", async (_why, more) => {
    const queue = new FakeQueue({ slices: [10], lastRedelivered: true, ...more });
    expect(await inFakeTime(holdTheRest(queue.holding))).toBe(false);
  });

  it("a reading that has not begun holds nothing of those", () => {
    expect(mayBeOfThose({ capacity: 0 }, { delivered: 0, lastRedelivered: false })).toBe(false);
    expect(mayBeOfThose({ capacity: 9 }, { delivered: 0, lastRedelivered: false })).toBe(true);
    expect(mayBeOfThose({ capacity: 9 }, { delivered: 3, lastRedelivered: true })).toBe(true);
    expect(mayBeOfThose({ capacity: 9 }, { delivered: 3, lastRedelivered: false })).toBe(false);
  });
});

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

interface Situation {
  readonly slices: readonly number[];
  readonly delivered: number;
  readonly firstTag?: number;
  readonly lastRedelivered?: boolean;
  readonly ready?: number;
  readonly room?: boolean;
  readonly gone?: boolean;
  readonly quorum?: boolean;
}

/** A quorum queue that carries out a settlement two counts after it was told. */
class FakeQueue {
  readonly told: string[] = [];
  readonly state: { delivered: number; firstTag: number; lastRedelivered: boolean };
  readonly holding: Holding;
  counts = 0;
  /** So many counts are not answered by the leader. */
  silent = 0;
  /** Something was told before what was told last had been done. */
  hasty = false;
  onCount = (_counts: number): void => undefined;
  onAdd = (): void => undefined;
  readonly #slices: number[];
  #ready: number;
  #settled = 0;
  #pending: { readonly to: number; readonly requeue: boolean; counts: number } | null = null;

  constructor(situation: Situation) {
    const {
      delivered,
      firstTag = 1,
      lastRedelivered = false,
      room = true,
      gone = false,
      quorum = true,
    } = situation;
    this.#slices = [...situation.slices];
    this.#ready = situation.ready ?? 0;
    this.state = { delivered, firstTag, lastRedelivered };
    const held = {
      gone,
      count: () => this.#count(),
      requeueTo: (tag: number) => this.#tell(`requeue ${tag}`, tag, true),
      acknowledgeTo: (tag: number) => this.#tell(`acknowledge ${tag}`, tag, false),
    };
    const slices = this.#slices;
    const source = {
      slices,
      room,
      get capacity() {
        return slices.at(-1) ?? 0;
      },
      add: () => {
        this.told.push("add");
        slices.push((slices.at(-1) ?? 0) + 10);
        this.onAdd();
        return Promise.resolve();
      },
      cancelAll: () => {
        this.told.push("cancel");
        return Promise.resolve();
      },
    };
    this.holding = { held, source, state: this.state, quorum };
  }

  #tell(what: string, tag: number, requeue: boolean): void {
    this.told.push(what);
    if (this.#pending) this.hasty = true;
    this.#pending = { to: tag - this.state.firstTag + 1, requeue, counts: 0 };
  }

  #count(): Promise<QueueCount> {
    this.counts++;
    this.onCount(this.counts);
    const pending = this.#pending;
    if (pending && ++pending.counts === 2) {
      if (pending.requeue) this.#ready += pending.to - this.#settled;
      this.#settled = pending.to;
      this.#pending = null;
    }
    if (this.silent-- > 0) return Promise.resolve({ ready: 0, consumers: 0 });
    const ends = this.#slices.map((slice) => Math.min(slice, this.state.delivered));
    const holding = ends.filter((end, i) => end > (ends[i - 1] ?? 0) && end > this.#settled);
    return Promise.resolve({
      ready: this.#ready,
      consumers: Math.max(holding.length, this.#settled === 0 ? 1 : 0),
    });
  }
}
