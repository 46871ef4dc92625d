import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { openChannel } from "../lab/channel.ts";
import { drain } from "../lab/drain.ts";
import { fill, numberOf } from "../lab/publish.ts";
import { declareQueue, untilReady } from "../lab/queues.ts";
import { labReader, openCursor, readAll, readQueue } from "../lab/read.ts";
import { argumentsFor, plainRecipe, verdictFor } from "../lab/recipes.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { until } from "../lab/until.ts";
import { freshVhost } from "../lab/vhost.ts";

describe.concurrent.each(sharedBrokers())("exclusive use on $version", (broker) => {
  test("a consumer that has a classic queue for itself does not keep it from being read", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await fill(vhost, "q", 300);
    await using app = await openChannel(vhost.url);
    const held: number[] = [];
    await app.channel.prefetch(10);
    await app.channel.consume("q", (message) => message && held.push(numberOf({ body: message.content })), {
      exclusive: true,
    });
    await until("the app is at work", () => held.length === 10);

    await expect(readQueue(vhost, "q", plainRecipe(broker, "classic"))).rejects.toMatchObject({
      code: "QUEUE_BUSY",
    });
    const recipe = plainRecipe(broker, "classic", { exclusiveConsumer: true });
    expect(recipe.kind).toBe("get");
    const reading = await readQueue(vhost, "q", recipe);
    expect(reading).toMatchObject({ gaps: [], readyAtCut: 290, readyAfter: 290 });
    expect(reading.messages.map(numberOf)).toEqual(upTo(300).slice(10));
    app.channel.ackAll();
    await until("the app goes on", () => held.length === 20);
    expect(held).toEqual(upTo(20));
  });

  test("an exclusive queue of another connection is busy, for looking and for reading", async () => {
    await using vhost = await freshVhost(broker);
    await using app = await openChannel(vhost.url);
    await app.channel.assertQueue("q", { exclusive: true, durable: false });
    const access = await labReader(broker).access(vhost.name, ["q", "none"]);
    expect(access.get("q")).toMatchObject({ code: "QUEUE_BUSY" });
    expect(access.get("none")).toMatchObject({ code: "QUEUE_MISSING" });
    await expect(readQueue(vhost, "q", plainRecipe(broker, "classic"))).rejects.toMatchObject({
      code: "QUEUE_BUSY",
    });
    expect(verdictFor(broker, "classic", { exclusive: true }).danger?.code).toBe("exclusive");
  });

  test.each(["classic", "quorum", "stream"] as const)(
    "two readers of a %s queue exclude each other",
    async (type) => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      await fill(vhost, "q", 50);
      const recipe = plainRecipe(broker, type);
      {
        await using cursor = await openCursor(vhost, "q", recipe, { hold: "until-settled" });
        expect(await readAll(cursor)).toHaveLength(50);
        await expect(readQueue(vhost, "q", recipe)).rejects.toMatchObject({ code: "QUEUE_LOCKED" });
      }
      expect((await readQueue(vhost, "q", recipe)).messages).toHaveLength(50);
    },
  );

  test("an auto-delete queue survives its reading, in order", async () => {
    await using vhost = await freshVhost(broker);
    await using lane = await openChannel(vhost.url);
    await lane.channel.assertQueue("q", { durable: true, autoDelete: true });
    await fill(vhost, "q", 500);
    for (let i = 0; i < 2; i++) {
      const reading = await readQueue(vhost, "q", plainRecipe(broker, "classic", { autoDelete: true }));
      expect(reading).toMatchObject({ gaps: [], readyAfter: 500 });
      expect(reading.messages.map(numberOf)).toEqual(upTo(500));
    }
    const left = await Promise.all(upTo(500).map(() => lane.channel.get("q", { noAck: true })));
    expect(left.map((message) => message && numberOf({ body: message.content }))).toEqual(upTo(500));
  });

  test("an auto-delete queue that goes with its last consumer while it is read becomes a gap", async () => {
    await using vhost = await freshVhost(broker);
    await using app = await openChannel(vhost.url);
    await app.channel.assertQueue("q", { durable: true, autoDelete: true });
    await app.channel.prefetch(1);
    const { consumerTag } = await app.channel.consume("q", () => undefined);
    await fill(vhost, "q", 5000, { bodyBytes: 60 });
    let gone = false;
    const reading = await readQueue(vhost, "q", plainRecipe(broker, "classic", { autoDelete: true }), {
      during: async () => {
        if (!gone) await app.channel.cancel(consumerTag);
        gone = true;
      },
    });
    expect(reading.gaps).toHaveLength(1);
    expect(reading.messages.length + (reading.gaps[0]?.messages ?? 0)).toBe(4999);
    expect(reading.messages.map(numberOf)).toEqual(upTo(reading.messages.length + 1).slice(1));
  });

  test.each(["classic", "quorum"] as const)("a %s queue does not expire while it is held", async (type) => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", type, { ...argumentsFor(broker, type), "x-expires": 1500 });
    await fill(vhost, "q", 50);
    {
      await using cursor = await openCursor(vhost, "q", plainRecipe(broker, type), { hold: "until-settled" });
      await readAll(cursor);
      await delay(3000);
      await cursor.settle("requeue");
      expect(cursor).toMatchObject({ gaps: [], readyAfter: 50 });
    }
    expect(await drain(vhost, "q")).toHaveLength(50);
  });

  test("a queue that expires is not read with basic.get, which would not keep it", () => {
    const expiring = { arguments: { "x-expires": 60_000 }, exclusiveConsumer: true };
    expect(verdictFor(broker, "classic", expiring).danger?.code).toBe("get-expires");
  });

  test.each(["classic", "quorum"] as const)(
    "a %s queue deleted while it is read becomes a gap",
    async (type) => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      await fill(vhost, "q", 3000);
      await using lane = await openChannel(vhost.url);
      let deleted = false;
      // Small windows: the quorum queue cannot have sent everything when it is deleted.
      const reading = await readQueue(vhost, "q", plainRecipe(broker, type), {
        averageBodyBytes: 640 * 1024,
        during: async () => {
          if (!deleted) await lane.channel.deleteQueue("q");
          deleted = true;
        },
      });
      const missing = reading.gaps.reduce((sum, gap) => sum + (gap.messages ?? 0), 0);
      expect(reading.messages.length + missing).toBe(3000);
      expect(reading.messages.map(numberOf)).toEqual(upTo(reading.messages.length));
    },
  );

  test("nothing to read is no failure", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await untilReady(vhost, "q", 0);
    expect(await readQueue(vhost, "q", plainRecipe(broker, "classic"))).toMatchObject({
      messages: [],
      gaps: [],
    });
  });
});

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
