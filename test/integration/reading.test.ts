import { describe, expect, test } from "vitest";
import { openChannel } from "../lab/channel.ts";
import { firstDifference } from "../lab/compare.ts";
import { drain } from "../lab/drain.ts";
import { fill, numberOf, publishAll } from "../lab/publish.ts";
import { declareQueue, untilReady } from "../lab/queues.ts";
import { openCursor, readAll, readQueue, type ReadMessage } from "../lab/read.ts";
import { argumentsFor, brokersOf, plainRecipe, recipeFor } from "../lab/recipes.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { freshVhost } from "../lab/vhost.ts";

/** Bodies said to be so large make windows of quorum queues 100 messages. */
const SMALL_WINDOWS = { averageBodyBytes: 640 * 1024 };

describe.concurrent.each(sharedBrokers())("reading on $version", (broker) => {
  test.each([
    [25, "classic", {}],
    [25, "quorum", {}],
    [5, "classic", { "x-max-priority": 5 }],
    [5, "classic", { "x-queue-mode": "lazy" }],
  ] as const)("%i readings in a row of a %s queue %j leave it as it was", async (times, type, args) => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", type, { ...argumentsFor(broker, type), ...args });
    const filled = await fill(vhost, "q", 300);
    for (let i = 0; i < times; i++) {
      const reading = await readQueue(vhost, "q", plainRecipe(broker, type));
      expect(reading).toMatchObject({ gaps: [], notes: [], readyAtCut: 300, readyAfter: 300 });
      expect(sameBodies(reading.messages, filled)).toBeUndefined();
    }
    expect(sameBodies(await drain(vhost, "q"), filled)).toBeUndefined();
  });

  describe.each(["classic", "quorum"] as const)("of a %s queue", (type) => {
    const recipe = plainRecipe(broker, type);

    test("stopped in the middle, after an earlier one, keeps the order", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      const filled = await fill(vhost, "q", 2000, { bodyBytes: 60 });
      await readQueue(vhost, "q", recipe, SMALL_WINDOWS);
      const stopped = await readQueue(vhost, "q", recipe, { ...SMALL_WINDOWS, stopAfter: 150 });
      expect(stopped).toMatchObject({ gaps: [{ code: "TEST" }], notes: [], readyAfter: 2000 });
      expect(stopped.messages.length + (stopped.gaps[0]?.messages ?? 0)).toBe(2000);
      expect(sameBodies(await drain(vhost, "q"), filled)).toBeUndefined();
    });

    test("what is published meanwhile is not captured and keeps its place", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      const filled = await fill(vhost, "q", 1000);
      await using cursor = await openCursor(vhost, "q", recipe, { hold: "until-settled" });
      const more = await fill(vhost, "q", 100, { from: 1000 });
      expect(sameBodies(await readAll(cursor), filled)).toBeUndefined();
      await cursor.settle("requeue");
      expect(cursor).toMatchObject({ gaps: [], readyAfter: 1100 });
      expect(sameBodies(await drain(vhost, "q"), [...filled, ...more])).toBeUndefined();
    });

    test("beside a consumer at work: what that takes is a gap, what is captured is in order, nothing is lost", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      await fill(vhost, "q", 5000, { bodyBytes: 60 });
      await using app = await openChannel(vhost.url);
      const taken = new Set<number>();
      await app.channel.prefetch(50);
      const { consumerTag } = await app.channel.consume("q", (message) => {
        if (!message) return;
        taken.add(numberOf({ body: message.content }));
        app.channel.ack(message);
      });
      const reading = await readQueue(vhost, "q", recipe);
      const numbers = reading.messages.map(numberOf);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      expect(new Set(numbers).size).toBe(numbers.length);
      const missing = reading.gaps.reduce((sum, gap) => sum + (gap.messages ?? 0), 0);
      expect(numbers.length + missing).toBe(reading.readyAtCut);
      await app.channel.cancel(consumerTag);
      for (const message of await drain(vhost, "q")) taken.add(numberOf(message));
      expect(taken.size).toBe(5000);
    });

    test("held too long: what was not read is a gap, and everything is back in order", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      const filled = await fill(vhost, "q", 5000, { bodyBytes: 60 });
      const reading = await readQueue(vhost, "q", recipe, {
        ...SMALL_WINDOWS,
        maxHoldMs: 300,
        during: (seen) => new Promise((resolve) => setTimeout(resolve, seen > 0 ? 400 : 0)),
      });
      const read = reading.messages.length;
      expect(reading.gaps.map(({ code }) => code)).toEqual(read < 5000 ? ["HELD_TOO_LONG"] : []);
      expect(read + (reading.gaps[0]?.messages ?? 0)).toBe(5000);
      expect(sameBodies(reading.messages, filled.slice(0, read))).toBeUndefined();
      await untilReady(vhost, "q", 5000);
      expect(sameBodies(await drain(vhost, "q"), filled)).toBeUndefined();
    });
  });
});

describe.concurrent.each(brokersOf("3.10", "4.3"))("reading deep queues on $version", (broker) => {
  test("more messages of a quorum queue than one consumer can hold", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", argumentsFor(broker, "quorum"));
    const messages = Array.from({ length: 66_000 }, (_, n) => ({
      body: Buffer.from(`${n}`),
      properties: {},
    }));
    await publishAll(vhost, "q", messages);
    const reading = await readQueue(vhost, "q", plainRecipe(broker, "quorum"));
    expect(reading).toMatchObject({ gaps: [], readyAtCut: 66_000, readyAfter: 66_000 });
    expect(sameBodies(reading.messages, messages)).toBeUndefined();
    expect(sameBodies(await drain(vhost, "q"), messages)).toBeUndefined();
  });
});

describe.concurrent.each(brokersOf("4.0"))("reading within a delivery limit, on $version", (broker) => {
  test("stops by itself when deliveries run out, and nothing is lost", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum");
    const filled = await fill(vhost, "q", 300);
    expect(() => recipeFor(broker, "quorum", { deliveryLimit: 20 })).toThrow(/delivery limit/);
    const recipe = recipeFor(broker, "quorum", { deliveryLimit: 20 }, { keepDeliveries: 5 });
    for (let i = 0; i < 16; i++) {
      expect(await readQueue(vhost, "q", recipe)).toMatchObject({ gaps: [], readyAfter: 300 });
    }
    const stopped = await readQueue(vhost, "q", recipe);
    expect(stopped.gaps).toMatchObject([{ code: "DELIVERIES_SPENT", messages: 299 }]);
    expect(stopped.notes).toContainEqual(expect.stringMatching(/another order/));
    // The one message that was looked at went behind the others; to keep its place all would have had to pay.
    const rotated = [...filled.slice(1), ...filled.slice(0, 1)];
    await untilReady(vhost, "q", 300);
    expect(sameBodies(await drain(vhost, "q"), rotated)).toBeUndefined();
  });
});

function sameBodies(
  actual: readonly Pick<ReadMessage, "body">[],
  expected: readonly { readonly body: Buffer }[],
): string | undefined {
  return firstDifference(
    actual.map(({ body }) => ({ body })),
    expected.map(({ body }) => ({ body })),
  );
}
