import { describe, expect, test } from "vitest";
import { planReading } from "../../src/domain/reading-plan.ts";
import type { ReadingPolicy, ReadingRecipe } from "../../src/domain/reading-recipe.ts";
import type { QueueInfo, QueueType } from "../../src/domain/queue.ts";
import { openChannel } from "../lab/channel.ts";
import { firstDifference } from "../lab/compare.ts";
import { drain, drainStream } from "../lab/drain.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue, readyCount, untilReady } from "../lab/queues.ts";
import { CAREFUL, queueInfo } from "../lab/queue-info.ts";
import { readQueue, type Reading } from "../lab/read.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { until } from "../lab/until.ts";
import { freshVhost } from "../lab/vhost.ts";
import type { Broker } from "../lab/brokers.ts";

function recipeFor(
  broker: Broker,
  type: QueueType,
  more: Partial<QueueInfo> = {},
  policy: Partial<ReadingPolicy> = {},
): ReadingRecipe {
  const queue = queueInfo("v", "q", type, more);
  const info = { product: "RabbitMQ", version: `${broker.version}.0`, clusterName: null };
  const verdict = planReading(queue, info, { ...CAREFUL, ...policy });
  if (!verdict.recipe) throw new Error(`no recipe: ${verdict.danger?.message}`);
  return verdict.recipe;
}

const UNLIMITED = { deliveryLimit: "unlimited" } as const;
/** No limit on 4.0, where the default one would make every reading cost a delivery. */
function quorumArguments(broker: Broker): Record<string, unknown> {
  return broker.version === "4.0" ? { "x-delivery-limit": -1 } : {};
}
function quorumInfo(broker: Broker): Partial<QueueInfo> {
  return broker.version === "4.3" ? { deliveryLimit: 20 } : UNLIMITED;
}

describe.each(sharedBrokers())("reading on $version", (broker) => {
  test.each([
    ["classic", {}],
    ["classic", { "x-max-priority": 5 }],
    ["quorum", {}],
  ] as const)("25 readings in a row of a %s queue %j leave it as it was", async (type, args) => {
    await using vhost = await freshVhost(broker);
    const more = type === "quorum" ? quorumArguments(broker) : {};
    await declareQueue(vhost, "q", type, { ...args, ...more });
    const filled = await fill(vhost, "q", 500);
    const recipe = recipeFor(broker, type, type === "quorum" ? quorumInfo(broker) : {});
    for (let i = 0; i < 25; i++) {
      const reading = await readQueue(vhost, "q", recipe);
      expect(reading.gaps).toEqual([]);
      expect(reading.readyAtCut).toBe(500);
      expect(firstDifference(reading.messages.map(bodyOnly), filled)).toBeUndefined();
      await untilReady(vhost, "q", 500);
    }
    expect(firstDifference((await drain(vhost, "q")).map(bodyOnly), filled)).toBeUndefined();
  });

  test("a lazy classic queue", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic", { "x-queue-mode": "lazy" });
    const filled = await fill(vhost, "q", 2000);
    const reading = await readQueue(vhost, "q", recipeFor(broker, "classic"));
    expect(firstDifference(reading.messages.map(bodyOnly), filled)).toBeUndefined();
    expect(firstDifference((await drain(vhost, "q")).map(bodyOnly), filled)).toBeUndefined();
  });

  test("a stream, twice", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "stream");
    const filled = await fill(vhost, "q", 20_000);
    for (let i = 0; i < 2; i++) {
      const reading = await readQueue(vhost, "q", recipeFor(broker, "stream"));
      expect(reading.gaps).toEqual([]);
      expect(firstDifference(reading.messages.map(bodyOnly), filled)).toBeUndefined();
    }
    expect(await drainStream(vhost, "q")).toHaveLength(20_000);
  });

  test.each(["classic", "quorum", "stream"] as const)("an empty %s queue", async (type) => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", type, type === "quorum" ? quorumArguments(broker) : {});
    const reading = await readQueue(vhost, "q", recipeFor(broker, type, quorumInfo(broker)));
    expect(reading.messages).toEqual([]);
    expect(reading.gaps).toEqual([]);
  });

  test("a quorum queue in many windows", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", quorumArguments(broker));
    const filled = await fill(vhost, "q", 3000, { bodyBytes: 100 });
    // So large a body as this makes the windows 100 messages.
    const reading = await readQueue(vhost, "q", recipeFor(broker, "quorum", quorumInfo(broker)), {
      averageBodyBytes: 640 * 1024,
    });
    expect(firstDifference(reading.messages.map(bodyOnly), filled)).toBeUndefined();
    await untilReady(vhost, "q", 3000);
    expect(firstDifference((await drain(vhost, "q")).map(bodyOnly), filled)).toBeUndefined();
  });

  test("more than 65,535 messages of a quorum queue", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", quorumArguments(broker));
    const filled = await fill(vhost, "q", 70_000, { bodyBytes: 60 });
    const reading = await readQueue(vhost, "q", recipeFor(broker, "quorum", quorumInfo(broker)));
    expect(reading.gaps).toEqual([]);
    expect(firstDifference(reading.messages.map(bodyOnly), filled)).toBeUndefined();
    await untilReady(vhost, "q", 70_000);
    expect(firstDifference((await drain(vhost, "q")).map(bodyOnly), filled)).toBeUndefined();
  });

  test("bodies of every size around the frame's", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    const sizes = [0, 1, 4095, 4096, 65_536, 131_063, 131_064, 131_065, 262_144, 1_000_000, 0, 10];
    await using lane = await openChannel(vhost.url);
    const bodies = sizes.map((size, i) => Buffer.alloc(size, i + 1));
    for (const body of bodies) lane.channel.publish("", "q", body);
    await lane.channel.waitForConfirms();
    for (let i = 0; i < 3; i++) {
      const reading = await readQueue(vhost, "q", recipeFor(broker, "classic"));
      expect(reading.messages.map((m) => m.body.length)).toEqual(sizes);
      expect(reading.messages.every((m, n) => m.body.equals(bodies[n] ?? Buffer.alloc(0)))).toBe(true);
    }
  });

  test.each(["classic", "quorum"] as const)(
    "a reading of a %s queue stopped in the middle, after an earlier one, keeps the order",
    async (type) => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, type === "quorum" ? quorumArguments(broker) : {});
      const filled = await fill(vhost, "q", 2000, { bodyBytes: 100 });
      const recipe = recipeFor(broker, type, type === "quorum" ? quorumInfo(broker) : {});
      // So large a body as this makes the windows of quorum queues 100 messages.
      const averageBodyBytes = 640 * 1024;
      await readQueue(vhost, "q", recipe, { averageBodyBytes });
      const stopped = await readQueue(vhost, "q", recipe, { averageBodyBytes, stopAfter: 150 });
      expect(stopped.gaps).toMatchObject([{ code: "TEST" }]);
      expect(stopped.notes).toEqual([]);
      expect(stopped.messages.length + (stopped.gaps[0]?.messages ?? 0)).toBe(2000);
      await untilReady(vhost, "q", 2000);
      expect(firstDifference((await drain(vhost, "q")).map(bodyOnly), filled)).toBeUndefined();
    },
  );

  test("what is published meanwhile is not captured and keeps its place", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    const filled = await fill(vhost, "q", 5000);
    let more: Awaited<ReturnType<typeof fill>> = [];
    const reading = await readQueue(vhost, "q", recipeFor(broker, "classic"), {
      hold: "until-settled",
      during: async () => {
        if (more.length === 0) more = await fill(vhost, "q", 100, { from: 5000 });
      },
    });
    expect(firstDifference(reading.messages.map(bodyOnly), filled)).toBeUndefined();
    await untilReady(vhost, "q", 5100);
    expect(firstDifference((await drain(vhost, "q")).map(bodyOnly), [...filled, ...more])).toBeUndefined();
  });

  test("an auto-delete queue survives and keeps its order", async () => {
    await using vhost = await freshVhost(broker);
    await using lane = await openChannel(vhost.url);
    await lane.channel.assertQueue("q", { durable: true, autoDelete: true });
    const filled = await fill(vhost, "q", 500);
    const reading = await readQueue(vhost, "q", recipeFor(broker, "classic", { autoDelete: true }));
    expect(reading.gaps).toEqual([]);
    expect(firstDifference(reading.messages.map(bodyOnly), filled)).toBeUndefined();
    await untilReady(vhost, "q", 500);
    const left = await Promise.all(filled.map(async () => lane.channel.get("q", { noAck: true })));
    expect(firstDifference(left.map(contentOf), filled)).toBeUndefined();
  });

  test("two readers of one queue exclude each other", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await fill(vhost, "q", 500);
    const recipe = recipeFor(broker, "classic");
    await readQueue(vhost, "q", recipe, {
      hold: "until-settled",
      during: async () => {
        await expect(readQueue(vhost, "q", recipe)).rejects.toMatchObject({ code: "QUEUE_LOCKED" });
      },
    });
    await expect(readQueue(vhost, "q", recipe)).resolves.toMatchObject({ readyAtCut: 500 });
  });

  test("a queue deleted while it is read becomes a gap", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await fill(vhost, "q", 20_000);
    await using lane = await openChannel(vhost.url);
    let deleted = false;
    const reading = await readQueue(vhost, "q", recipeFor(broker, "classic"), {
      during: async () => {
        if (!deleted) await lane.channel.deleteQueue("q");
        deleted = true;
      },
    });
    const lost = reading.gaps.reduce((sum, gap) => sum + (gap.messages ?? 0), 0);
    expect(reading.messages.length + lost).toBe(20_000);
  });

  test("live consumers: what they take is a gap, what is captured is in order, nothing is lost", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await fill(vhost, "q", 20_000);
    await using lane = await openChannel(vhost.url);
    const taken = new Set<string>();
    await lane.channel.prefetch(50);
    const { consumerTag } = await lane.channel.consume("q", (message) => {
      if (!message) return;
      taken.add(message.properties.messageId as string);
      lane.channel.ack(message);
    });
    const reading = await readQueue(vhost, "q", recipeFor(broker, "classic"));
    const numbers = reading.messages.map((m) =>
      Number(/"n":(\d+)/.exec(m.body.toString("latin1", 0, 24))?.[1]),
    );
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    const missing = reading.gaps.reduce((sum, gap) => sum + (gap.messages ?? 0), 0);
    expect(numbers.length + missing).toBe(reading.readyAtCut);
    await lane.channel.cancel(consumerTag);
    for (const message of await drain(vhost, "q")) taken.add(message.properties.messageId as string);
    expect(taken.size).toBe(20_000);
  });

  test("held too long: what was not read is a gap, and everything is back", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    const filled = await fill(vhost, "q", 40_000, { bodyBytes: 100 });
    const reading = await readQueue(vhost, "q", recipeFor(broker, "classic"), { maxHoldMs: 50 });
    expect(reading.gaps).toMatchObject([{ code: "HELD_TOO_LONG" }]);
    expect(reading.messages.length + (reading.gaps[0]?.messages ?? 0)).toBe(40_000);
    expect(
      firstDifference(reading.messages.map(bodyOnly), filled.slice(0, reading.messages.length)),
    ).toBeUndefined();
    await untilReady(vhost, "q", 40_000);
  });
});

describe("delivery limits", () => {
  const [, v40, v43] = sharedBrokers();

  test("4.0: a reading stops by itself when deliveries run out, and nothing is lost", async () => {
    if (!v40) throw new Error("needs three brokers");
    await using vhost = await freshVhost(v40);
    await declareQueue(vhost, "q", "quorum");
    const filled = await fill(vhost, "q", 500);
    expect(() => recipeFor(v40, "quorum", { deliveryLimit: 20 })).toThrow(/delivery limit/);
    const recipe = recipeFor(v40, "quorum", { deliveryLimit: 20 }, { keepDeliveries: 5 });
    const readings: Reading[] = [];
    while (readings.every(({ gaps }) => gaps.length === 0)) {
      readings.push(await readQueue(vhost, "q", recipe));
      await untilReady(vhost, "q", 500);
    }
    const [last] = readings.splice(-1);
    expect(readings).toHaveLength(16);
    expect(last?.gaps).toMatchObject([{ code: "DELIVERIES_SPENT", messages: 499 }]);
    expect(last?.notes).toContainEqual(expect.stringMatching(/another order/));
    // The one message that was looked at went behind the others; to keep its place all would have had to pay.
    const rotated = [...filled.slice(1), ...filled.slice(0, 1)];
    expect(firstDifference((await drain(vhost, "q")).map(bodyOnly), rotated)).toBeUndefined();
  });

  test("4.3: messages at their limit are named, and stay", async () => {
    if (!v43) throw new Error("needs three brokers");
    await using vhost = await freshVhost(v43);
    await declareQueue(vhost, "q", "quorum", { "x-delivery-limit": 2 });
    await fill(vhost, "q", 10);
    for (let i = 0; i < 2; i++) {
      await using lane = await openChannel(vhost.url);
      const seen: unknown[] = [];
      await lane.channel.consume("q", (message) => seen.push(message));
      await until("all delivered", () => seen.length === 10);
    }
    await untilReady(vhost, "q", 10);
    const reading = await readQueue(vhost, "q", recipeFor(v43, "quorum", { deliveryLimit: 2 }));
    expect(reading.messages).toHaveLength(10);
    expect(reading.notes).toEqual([expect.stringContaining("10 messages have reached the delivery limit")]);
    await untilReady(vhost, "q", 10);
    expect(await readyCount(vhost, "q")).toBe(10);
  });
});

function contentOf(message: { readonly content: Buffer } | false): { readonly body: Buffer } {
  return { body: message === false ? Buffer.alloc(0) : message.content };
}

function bodyOnly(message: { readonly body: Buffer }): { readonly body: Buffer } {
  return { body: message.body };
}
