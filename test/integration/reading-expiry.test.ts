import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { drain } from "../lab/drain.ts";
import { fill, labMessage, numberOf, publishAll } from "../lab/publish.ts";
import { declareQueue, readyCount, untilReady } from "../lab/queues.ts";
import { openCursor, readAll, readQueue } from "../lab/read.ts";
import { argumentsFor, plainRecipe } from "../lab/recipes.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";

/** Where a queue's dead letters go in these tests. */
const DEAD = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" };
const HELD = { hold: "until-settled" } as const;

describe.concurrent.each(sharedBrokers())("limits of a queue, on $version", (broker) => {
  describe.each(["classic", "quorum"] as const)("%s", (type) => {
    const recipe = plainRecipe(broker, type);

    async function declare(vhost: LabVhost, args: Readonly<Record<string, unknown>>): Promise<void> {
      await declareQueue(vhost, "dead", "classic");
      await declareQueue(vhost, "q", type, { ...argumentsFor(broker, type), ...DEAD, ...args });
    }

    test("a reading dead-letters nothing", async () => {
      await using vhost = await freshVhost(broker);
      await declare(vhost, {});
      await fill(vhost, "q", 50);
      for (let i = 0; i < 3; i++) await readQueue(vhost, "q", recipe);
      await untilReady(vhost, "q", 50);
      expect(await readyCount(vhost, "dead")).toBe(0);
    });

    test.each([
      ["of the queue", { "x-message-ttl": 1500 }, {}],
      ["of the messages", {}, { expiration: "1500" }],
    ])("a time to live %s that ends during the hold ends with it", async (_whose, args, properties) => {
      await using vhost = await freshVhost(broker);
      await declare(vhost, args);
      const messages = upTo(20).map((n) => ({ body: labMessage(n).body, properties }));
      await publishAll(vhost, "q", messages);
      await using cursor = await openCursor(vhost, "q", recipe, HELD);
      const read = await readAll(cursor);
      await delay(2000);
      expect(await readyCount(vhost, "dead")).toBe(0);
      await cursor.settle("requeue");
      expect(read.map(numberOf)).toEqual(upTo(20));
      expect(cursor.gaps).toEqual([]);
      await untilReady(vhost, "dead", 20);
      expect((await drain(vhost, "dead")).map(numberOf)).toEqual(upTo(20));
      await untilReady(vhost, "q", 0);
    });

    test("a full queue that drops its oldest has dropped the same afterwards as without the hold", async () => {
      await using vhost = await freshVhost(broker);
      await declare(vhost, { "x-max-length": 10 });
      await fill(vhost, "q", 10);
      await using cursor = await openCursor(vhost, "q", recipe, HELD);
      expect((await readAll(cursor)).map(numberOf)).toEqual(upTo(10));
      await fill(vhost, "q", 5, { from: 10 });
      await cursor.settle("requeue");
      await untilReady(vhost, "dead", 5);
      // Before 4.3 a quorum queue that drops several at once dead-letters the newest first.
      const dead = (await drain(vhost, "dead")).map(numberOf);
      expect(dead.toSorted((a, b) => a - b)).toEqual(upTo(5));
      expect((await drain(vhost, "q")).map(numberOf)).toEqual(upTo(15).slice(5));
    });

    test("a full queue that refuses takes a few more during the hold, and keeps all", async () => {
      await using vhost = await freshVhost(broker);
      await declare(vhost, { "x-max-length": 10, "x-overflow": "reject-publish" });
      await fill(vhost, "q", 10);
      await using cursor = await openCursor(vhost, "q", recipe, HELD);
      expect((await readAll(cursor)).map(numberOf)).toEqual(upTo(10));
      await fill(vhost, "q", 5, { from: 10 });
      await cursor.settle("requeue");
      await untilReady(vhost, "q", 15);
      expect((await drain(vhost, "q")).map(numberOf)).toEqual(upTo(15));
    });
  });

  test("classic priorities: read in the order it delivers, and kept", async () => {
    await using vhost = await freshVhost(broker);
    const messages = upTo(300).map((n) => {
      const { body, properties } = labMessage(n);
      return { body, properties: n % 5 === 4 ? properties : { ...properties, priority: (n * 7) % 11 } };
    });
    for (const queue of ["q", "control"]) {
      await declareQueue(vhost, queue, "classic", { "x-max-priority": 8 });
      await publishAll(vhost, queue, messages);
    }
    for (let i = 0; i < 2; i++) await readQueue(vhost, "q", plainRecipe(broker, "classic"));
    const reading = await readQueue(vhost, "q", plainRecipe(broker, "classic"));
    const control = (await drain(vhost, "control")).map(numberOf);
    expect(reading.messages.map(numberOf)).toEqual(control);
    expect((await drain(vhost, "q")).map(numberOf)).toEqual(control);
  });
});

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
