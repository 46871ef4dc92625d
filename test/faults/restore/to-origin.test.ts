import { describe, expect, it } from "vitest";
import { BackupError } from "../../../src/domain/errors.ts";
import type { MessageRecord } from "../../../src/domain/message.ts";
import type { RestoreCommand } from "../../../src/usecases/restore-types.ts";
import { bodies, restoreLab } from "../../fakes/restore-lab.ts";
import { message, messages } from "../../fakes/sample-backup.ts";
import { encodeProperties, header, longstr, type Header } from "../../unit/domain/wire-values.ts";

const COUNT = 40;
const TO_ORIGIN: Partial<RestoreCommand> = { toOrigin: true, route: "origin", deathHeader: "drop" };
const TENANT = header("tenant", longstr("acme"));

function dead(number: number, more: readonly Header[] = []): MessageRecord {
  const death = [
    header("queue", longstr("work")),
    header("reason", longstr("rejected")),
    header("exchange", longstr("shop")),
    header("routing-keys", { tag: "A", value: [longstr(`order.${number % 3}`)] }),
  ];
  const headers = [
    TENANT,
    ...more,
    header("x-death", { tag: "A", value: [{ tag: "F", value: death }] }),
    header("x-first-death-queue", longstr("work")),
    header("x-first-death-reason", longstr("rejected")),
  ];
  const properties = encodeProperties({ headers, deliveryMode: 2 });
  return { ...message(number), exchange: Buffer.from("dlx"), routingKey: Buffer.from("dead"), properties };
}

const DEAD = Array.from({ length: COUNT }, (_, number) => dead(number));

describe("restoring to the origin", () => {
  it("gives each message its exchange and key back, and nothing of its death", async () => {
    const lab = await restoreLab([{ name: "dlq", records: DEAD }]);
    const { messages: published } = lab.broker.add("dlq");
    const result = await lab.restore(TO_ORIGIN);
    expect(result.failure).toBeNull();
    expect(lab.broker.changes).toEqual(["publish dlq origin"]);
    expect(
      published.map(
        ({ exchange, routingKey }) =>
          `${Buffer.from(exchange).toString()} ${Buffer.from(routingKey).toString()}`,
      ),
    ).toEqual(DEAD.map((_, number) => `shop order.${number % 3}`));
    const alive = encodeProperties({ headers: [TENANT], deliveryMode: 2 });
    for (const { properties } of published) expect(Buffer.from(properties)).toEqual(alive);
    expect(lab.broker.bodies("dlq")).toEqual(bodies(DEAD));
    expect(result.queues).toMatchObject([{ confirmed: COUNT, ready: null, short: 0 }]);
  });

  it("keeps what the broker wrote when told to", async () => {
    const lab = await restoreLab([{ name: "dlq", records: DEAD }]);
    const { messages: published } = lab.broker.add("dlq");
    await lab.restore({ ...TO_ORIGIN, deathHeader: "keep" });
    expect(published.map(({ properties }) => Buffer.from(properties))).toEqual(
      DEAD.map(({ properties }) => properties),
    );
    expect(Buffer.from(published[1]?.exchange ?? [])).toEqual(Buffer.from("shop"));
  });

  it("does not ask what is in the queue the messages lay in, nor whether it is there, and declares nothing", async () => {
    const lab = await restoreLab([{ name: "dlq", records: DEAD }]);
    const writer = lab.broker.writer();
    const inspect = (): never => expect.unreachable("asked");
    const { plan } = await lab.restore({ ...TO_ORIGIN, dryRun: true }, undefined, {
      openWriter: async () => ({ ...writer, inspect }),
    });
    expect(plan.refusals).toEqual([]);
    expect(plan.queues).toMatchObject([{ declare: null, messages: COUNT, tally: { unknown: null } }]);
    expect(plan.queues[0]?.tally?.origins).toEqual([
      { exchange: "shop", routingKey: "order.0", messages: 14 },
      { exchange: "shop", routingKey: "order.1", messages: 13 },
      { exchange: "shop", routingKey: "order.2", messages: 13 },
    ]);
    expect(lab.broker.changes).toEqual([]);
  });

  it("refuses messages without a death before it sends any; a condition leaves them out", async () => {
    const lab = await restoreLab([{ name: "dlq", records: [...DEAD, ...messages(3)] }]);
    lab.broker.add("dlq");
    await expect(lab.restore(TO_ORIGIN)).rejects.toMatchObject({
      code: "RESTORE_REFUSED",
      message: expect.stringMatching(
        /^3 messages of queue dlq in .* \(the first has sequence 40\) cannot go back/,
      ) as string,
      hint: expect.stringContaining("--where") as string,
    });
    expect(lab.broker.changes).toEqual([]);
    const filter = {
      text: "dead",
      matches: ({ sequence }: { readonly sequence: number }) => sequence < COUNT,
    };
    expect((await lab.restore({ ...TO_ORIGIN, filter })).failure).toBeNull();
    expect(lab.broker.bodies("dlq")).toEqual(bodies(DEAD));
  });

  it("refuses messages with a CC header unless that is accepted", async () => {
    const copied = dead(COUNT, [header("CC", { tag: "A", value: [longstr("other")] })]);
    const lab = await restoreLab([{ name: "dlq", records: [...DEAD, copied] }]);
    lab.broker.add("dlq");
    await expect(lab.restore(TO_ORIGIN)).rejects.toMatchObject({
      message: expect.stringMatching(/^1 message of queue dlq .* would be copied/) as string,
      hint: expect.stringContaining("--accept cc") as string,
    });
    expect(lab.broker.changes).toEqual([]);
    expect((await lab.restore({ ...TO_ORIGIN, accept: new Set(["cc"]) })).failure).toBeNull();
    expect(lab.broker.bodies("dlq")).toHaveLength(COUNT + 1);
  });

  it("broken off, it does not guess what arrived; it goes on when duplicates are accepted, and only as it began", async () => {
    const lab = await restoreLab([{ name: "dlq", records: DEAD }]);
    lab.broker.add("dlq");
    const happens = (): Error => new BackupError("BROKER_LOST", "lost");
    lab.broker.faults = [{ queue: "dlq", stored: 20, confirmed: 15, happens }];
    expect((await lab.restore(TO_ORIGIN)).failure).toMatchObject({ code: "BROKER_LOST" });
    await expect(lab.restore({ ...TO_ORIGIN, resume: true })).rejects.toMatchObject({
      code: "RESTORE_REFUSED",
      hint: expect.stringMatching(
        /go on after message 15 with --accept duplicates \(at most 25 twice\)/,
      ) as string,
    });
    const accept = new Set(["duplicates"]);
    await expect(lab.restore({ resume: true, accept })).rejects.toMatchObject({
      message: expect.stringContaining("was run with --to-origin, this one is with no selection") as string,
    });
    const resumed = await lab.restore({ ...TO_ORIGIN, resume: true, accept });
    expect(resumed.queues).toMatchObject([{ before: 15, confirmed: COUNT, duplicates: 25 }]);
    expect(lab.broker.bodies("dlq")).toEqual([...bodies(DEAD.slice(0, 20)), ...bodies(DEAD.slice(15))]);
  });

  it("takes two queues of one name from two virtual hosts", async () => {
    const lab = await restoreLab([
      { name: "dlq", records: DEAD },
      { name: "dlq", vhost: "other", records: DEAD.slice(0, 5) },
    ]);
    lab.broker.add("dlq");
    const result = await lab.restore({ ...TO_ORIGIN, toVhost: "/" });
    expect(result.failure).toBeNull();
    expect(lab.broker.bodies("dlq")).toEqual([...bodies(DEAD), ...bodies(DEAD.slice(0, 5))]);
  });
});
