import { describe, expect, test } from "vitest";
import type { MessageRecord } from "../../src/domain/message.ts";
import { Chain, stored } from "../fakes/chain.ts";
import { message, messages } from "../fakes/sample-backup.ts";

describe("a stream", () => {
  function stream(from: number, to: number, salt = ""): MessageRecord[] {
    return Array.from({ length: to - from }, (_, at) => ({
      ...message(from + at),
      body: Buffer.from(`${salt}event ${from + at}`),
      streamOffset: from + at,
    }));
  }

  test("is read on from where the base ended", async () => {
    const chain = new Chain({ s: stream(0, 40) }, "stream");
    const full = await chain.full();
    chain.change("s", () => stream(0, 45));
    const first = await chain.incremental();
    expect(stored(first)).toEqual({ s: 5 });
    expect(first.queues[0]).toMatchObject({
      messages: 45,
      offsets: { first: 0, last: 44 },
      bodyBytes: stream(0, 45).reduce((sum, { body }) => sum + body.length, 0),
      content: [
        { kind: "kept", backup: full.id, first: 0, count: 40 },
        { kind: "new", first: 0, count: 5 },
      ],
    });
    // Nothing new, then a head that retention took.
    expect(stored(await chain.incremental())).toEqual({ s: 0 });
    chain.change("s", () => stream(12, 50));
    const third = await chain.incremental();
    expect(stored(third)).toEqual({ s: 5 });
    expect(third.queues[0]).toMatchObject({
      outcome: "complete",
      offsets: { first: 12, last: 49 },
      bodyBytes: stream(12, 50).reduce((sum, { body }) => sum + body.length, 0),
      notes: expect.arrayContaining([expect.stringContaining("removed 12 messages")]) as string[],
    });
    expect(await chain.expectTrue()).toBe(4);
  });

  test("with holes in its offsets", async () => {
    const holed = (from: number, to: number) =>
      stream(from, to).filter(({ streamOffset = 0 }) => streamOffset % 5 !== 3);
    const chain = new Chain({ s: holed(0, 40) }, "stream");
    await chain.full();
    chain.change("s", () => holed(14, 60));
    expect(stored(await chain.incremental())).toEqual({ s: holed(40, 60).length });
    expect(await chain.expectTrue()).toBe(2);
  });

  test("of which the base has nothing left: all is read, and what no backup has is a gap", async () => {
    const chain = new Chain({ s: stream(0, 40) }, "stream");
    await chain.full();
    chain.change("s", () => stream(52, 60));
    const { queues } = await chain.incremental();
    expect(queues[0]).toMatchObject({
      outcome: "partial",
      gaps: [{ code: "RETENTION", message: expect.stringContaining("40 to 51") as string, messages: null }],
      content: [{ kind: "new", first: 0, count: 8 }],
    });
    chain.change("s", () => stream(60, 63));
    expect((await chain.incremental()).queues[0]).toMatchObject({ outcome: "complete", gaps: [] });
    expect(await chain.expectTrue()).toBe(3);
  });

  test.each([
    ["shorter", () => stream(0, 9, "new ")],
    ["as long", () => stream(0, 40, "new ")],
    ["longer, the beginning the same", () => [...stream(0, 20), ...stream(20, 70, "new ")]],
    ["empty", () => []],
  ])("that was declared again, %s, is read from its beginning", async (_, again) => {
    const chain = new Chain({ s: stream(0, 40) }, "stream");
    await chain.full();
    chain.change("s", again);
    const { queues } = await chain.incremental();
    expect(queues[0]?.content.filter(({ kind }) => kind === "kept")).toEqual([]);
    expect(await chain.expectTrue()).toBe(2);
  });

  test("that was a queue of another type is stored anew", async () => {
    const chain = new Chain({ s: messages(20) });
    await chain.full();
    chain.change("s", (records) => records.map((record, at) => ({ ...record, streamOffset: at })));
    const told = { type: "stream" as const, deliveryLimit: null };
    expect(stored(await chain.incremental({ told }))).toEqual({ s: 20 });
    chain.change("s", () => messages(20));
    expect(stored(await chain.incremental())).toEqual({ s: 20 });
    expect(await chain.expectTrue()).toBe(3);
  });
});
