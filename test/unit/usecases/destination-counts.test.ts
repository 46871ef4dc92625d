import { describe, expect, test } from "vitest";
import type { DestinationState } from "../../../src/domain/destination-state.ts";
import type { QueueInfo } from "../../../src/domain/queue.ts";
import type { RestoreJournal } from "../../../src/domain/restore-journal.ts";
import { settledCounts } from "../../../src/usecases/destination-counts.ts";

type Found = DestinationState["found"];

describe("settledCounts", () => {
  test("a quorum queue without a leader is not empty: the count that follows is believed when it comes twice", async () => {
    const result = await settle([state("quorum", counted(0))], [counted(7), counted(7)]);
    expect(result).toEqual({ found: [counted(7)], asked: 2 });
  });

  test("an empty quorum queue is believed the second time", async () => {
    const result = await settle([state("quorum", counted(0))], [counted(0)]);
    expect(result).toEqual({ found: [counted(0)], asked: 1 });
  });

  test.each(["classic", "stream"] as const)("a %s queue is believed at once", async (type) => {
    expect(await settle([state(type, counted(0))], [])).toMatchObject({ asked: 0 });
  });

  test("a type nobody told may be quorum; a queue that is missing is", async () => {
    expect(await settle([state(null, counted(0)), state(null, null)], [counted(0)])).toMatchObject({
      asked: 1,
    });
  });

  test("messages shown are believed at once, unless a restore is to go on after them", async () => {
    expect(await settle([state("quorum", counted(3))], [])).toMatchObject({ asked: 0 });
    const open = state("quorum", counted(3), { initial: 1, confirmed: 4, finished: false });
    const growing = [counted(4), counted(4), counted(9), counted(9)];
    expect(await settle([open], growing)).toEqual({ found: [counted(9)], asked: 4 });
  });

  test("a count that stays below what was confirmed is taken as it is in the end", async () => {
    const open = state("quorum", counted(0), { initial: 0, confirmed: 4, finished: false });
    const result = await settle(
      [open],
      Array.from({ length: 40 }, () => counted(1)),
    );
    expect(result.found).toEqual([counted(1)]);
    expect(result.asked).toBeLessThan(40);
  });
});

async function settle(states: readonly DestinationState[], answers: readonly Found[]) {
  let milliseconds = 0;
  let asked = 0;
  const clock = {
    now: () => new Date(milliseconds),
    sleep: async (ms: number) => void (milliseconds += ms),
  };
  const askAgain = async (): Promise<Found> => {
    const answer = answers[asked++];
    if (answer === undefined) throw new Error("asked too often");
    return answer;
  };
  const settled = await settledCounts(states, askAgain, clock, new AbortController().signal);
  return { found: settled.filter(({ found }) => found !== null).map(({ found }) => found), asked };
}

function counted(ready: number): Found {
  return { ready, consumers: 0 };
}

function state(
  type: QueueInfo["type"] | null,
  found: Found,
  journal: Pick<RestoreJournal, "initial" | "confirmed" | "finished"> | null = null,
): DestinationState {
  return {
    found,
    info: type === null ? null : ({ type } as QueueInfo),
    journal: journal as RestoreJournal | null,
  };
}
