import { describe, expect, it } from "vitest";
import type { QueueType } from "../../../src/domain/queue.ts";
import { resumePoint, type RestoreJournal } from "../../../src/domain/restore-journal.ts";

describe("where a broken-off restore goes on", () => {
  it.each([
    ["nothing open", { confirmed: 400, limit: 400 }, 400, 400],
    ["some were stored and never confirmed", { confirmed: 400, limit: 900 }, 650, 650],
    ["all that was sent was stored", { confirmed: 0, limit: 1000 }, 1000, 1000],
    ["nothing was sent yet", { confirmed: 0, limit: 0 }, 0, 0],
    ["beside messages that were there", { confirmed: 400, limit: 900, initial: 10 }, 660, 650],
    ["refused, and nothing after it was taken", { confirmed: 400, limit: 900, refusedAt: 401 }, 400, 400],
  ] as const)("%s: counting tells", (_, more, ready, from) => {
    expect(point(more, { ready })).toEqual({ kind: "known", from });
  });

  it.each([
    ["consumers", {}, { ready: 400, consumers: 2 }],
    ["a stream", {}, { ready: 400, type: "stream" }],
    ["the route origin", { route: "origin" }, { ready: 400 }],
    ["fewer than were confirmed", {}, { ready: 399 }],
    ["more than were sent", {}, { ready: 901 }],
  ] as const)("%s: nothing tells", (_, more, now) => {
    expect(point(more, now)).toMatchObject({
      kind: "unknown",
      candidate: null,
      confirmed: 400,
      duplicates: 500,
    });
  });

  it.each([
    ["messages that expire", { expiring: true }, {}],
    ["messages lost by a restart", { transient: true }, { type: "classic" }],
    ["messages lost by a restart, type unknown", { transient: true }, { type: "unknown" }],
    ["a refusal, and later ones may have been taken", { refusedAt: 401 }, {}],
  ] as const)("%s: the count needs a proof", (_, more, now) => {
    expect(point(more, { ready: 650, ...now })).toMatchObject({
      kind: "unknown",
      candidate: 650,
      confirmed: 400,
    });
  });

  it("a quorum queue keeps transient messages", () => {
    expect(point({ transient: true }, { ready: 650, type: "quorum" })).toEqual({ kind: "known", from: 650 });
  });

  it("a finished restore is finished, whatever became of the queue", () => {
    const now = { ready: 0, consumers: 3 };
    expect(point({ finished: true }, now)).toEqual({ kind: "known", from: 1000 });
    expect(point({ confirmed: 1000, limit: 1000 }, now)).toEqual({ kind: "known", from: 1000 });
  });
});

function point(
  more: Partial<RestoreJournal>,
  now: { readonly ready: number; readonly consumers?: number; readonly type?: QueueType },
): ReturnType<typeof resumePoint> {
  const journal: RestoreJournal = {
    backup: "20261121-193200F",
    broker: "b",
    source: { vhost: "/", name: "q" },
    destination: { vhost: "/", name: "q" },
    route: "fanout",
    selection: "",
    total: 1000,
    initial: 0,
    confirmed: 400,
    limit: 900,
    transient: false,
    expiring: false,
    refusedAt: null,
    declared: false,
    finished: false,
    ...more,
  };
  return resumePoint(journal, { consumers: 0, type: "classic", ...now });
}
