import { describe, expect, it } from "vitest";
import type { Delivery } from "../../../../src/adapters/amqp/delivery-tap.ts";
import { HoldIntake, type IntakeParts } from "../../../../src/adapters/amqp/hold-intake.ts";
import { Inbox } from "../../../../src/adapters/amqp/inbox.ts";
import { encodeProperties, header, long } from "../../domain/wire-values.ts";

const doNothing = (): void => undefined;
const QUIET_TAP = {
  keep: doNothing,
  flow: doNothing,
  giveBack: doNothing,
  handOver: doNothing,
  pause: doNothing,
  resume: doNothing,
};

describe("an intake", () => {
  it("captures up to the cut, counts on behind it, and says once that it is there", async () => {
    const { intake, inbox, cuts } = intakeOf({ wanted: 2 });
    for (const tag of [5, 6, 7]) {
      intake.delivery(delivery(tag));
      if (cuts.length > 0) intake.close();
    }
    expect(intake).toMatchObject({ captured: 2, delivered: 3, firstTag: 5, missing: 0 });
    expect(cuts).toEqual([2]);
    expect(await inbox.next(0)).toHaveLength(2);
    expect(await inbox.next(0)).toBe("end");
    expect(intake.notes()).toEqual([]);
  });

  it("removes what the broker has added, and keeps the rest", async () => {
    const { intake, inbox } = intakeOf({ wanted: 1 });
    intake.delivery(delivery(1, { deliveryCount: 3, redelivered: true }));
    const [captured] = await inbox.next(0);
    expect(captured).toMatchObject({ redelivered: true, properties: Uint8Array.of(0x10, 0, 2) });
  });

  it("within a budget: the first message short of deliveries is the reason to stop, and all are counted", () => {
    const { intake } = intakeOf({ wanted: 9, recipe: { budget: { limit: 20, keep: 5 }, proveLimit: null } });
    for (const [i, deliveryCount] of [0, 15].entries()) intake.delivery(delivery(i + 1, { deliveryCount }));
    expect(intake.spent).toBeNull();
    for (const [i, deliveryCount] of [16, 20, 3].entries())
      intake.delivery(delivery(i + 3, { deliveryCount }));
    expect(intake.spent).toMatch(/delivered 16 times of 20/);
    expect(intake.captured).toBe(5);
    expect(intake.notes()).toEqual([
      "2 messages have fewer than 5 deliveries left",
      expect.stringMatching(/^1 messages had reached the delivery limit: giving them back dropped/),
    ]);
  });

  it("without a budget: what is at its limit is only named", () => {
    const { intake } = intakeOf({ wanted: 9, recipe: { budget: null, proveLimit: 2 } });
    for (const [i, deliveryCount] of [1, 2, 3].entries()) intake.delivery(delivery(i + 1, { deliveryCount }));
    expect(intake.spent).toBeNull();
    expect(intake.notes()).toEqual([expect.stringMatching(/^2 messages have reached the delivery limit/)]);
  });
});

describe("an inbox", () => {
  it("leaves the socket alone above its limit, until what it has is taken", async () => {
    const calls: string[] = [];
    const inbox = new Inbox({
      ...QUIET_TAP,
      pause: () => calls.push("pause"),
      resume: () => calls.push("resume"),
    });
    const large = { ...record(), body: new Uint8Array(5 * 1024 * 1024) };
    inbox.push(large);
    expect(calls).toEqual([]);
    inbox.push(large);
    expect(calls).toEqual(["pause"]);
    expect(await inbox.next(1000)).toHaveLength(2);
    expect(calls).toEqual(["pause", "resume"]);
  });

  it("is idle only after a while, however often it is told that nothing more has come", async () => {
    const inbox = new Inbox(QUIET_TAP);
    const beganAt = performance.now();
    const next = inbox.next(60);
    inbox.flush();
    expect(await next).toBe("idle");
    expect(performance.now() - beganAt).toBeGreaterThan(50);
    const taken = inbox.next(10_000);
    inbox.push(record());
    inbox.flush();
    expect(await taken).toHaveLength(1);
    const closed = inbox.next(10_000);
    inbox.close();
    expect(await closed).toBe("end");
  });
});

function intakeOf(more: Partial<IntakeParts>) {
  const inbox = new Inbox(QUIET_TAP);
  const cuts: number[] = [];
  const intake: HoldIntake = new HoldIntake({
    inbox,
    wanted: 1,
    recipe: { budget: null, proveLimit: null },
    onCut: () => cuts.push(intake.captured),
    onEmpty: () => undefined,
    ...more,
  });
  return { intake, inbox, cuts };
}

function delivery(
  deliveryTag: number,
  more: { deliveryCount?: number; redelivered?: boolean } = {},
): Delivery {
  const { deliveryCount = 0, redelivered = false } = more;
  const headers = deliveryCount > 0 ? { headers: [header("x-delivery-count", long(deliveryCount))] } : {};
  const properties = encodeProperties({ deliveryMode: 2, ...headers });
  return { ...record(), deliveryTag, redelivered, properties };
}

function record() {
  const nothing = new Uint8Array(0);
  return { redelivered: false, exchange: nothing, routingKey: nothing, properties: nothing, body: nothing };
}
