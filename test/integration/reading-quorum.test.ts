import { describe, expect, test } from "vitest";
import { rabbitmqctl } from "../lab/broker-control.ts";
import { openChannel } from "../lab/channel.ts";
import { firstDifference } from "../lab/compare.ts";
import { drain } from "../lab/drain.ts";
import { fill, labMessage, numberOf, publishAll, type LabMessage } from "../lab/publish.ts";
import { declareQueue, untilReady } from "../lab/queues.ts";
import { readQueue } from "../lab/read.ts";
import { argumentsFor, brokersOf, plainRecipe, recipeFor, verdictFor } from "../lab/recipes.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { until } from "../lab/until.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";

describe.each(sharedBrokers())("a quorum queue on $version", (broker) => {
  test("read in as many windows as there may be, again and again", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", argumentsFor(broker, "quorum"));
    const filled = await fill(vhost, "q", 3000, { bodyBytes: 60 });
    // Bodies said to be so large make windows of 40 messages where the number of consumers is not limited.
    for (let i = 0; i < 3; i++) {
      const reading = await readQueue(vhost, "q", plainRecipe(broker, "quorum"), { averageBodyBytes: 1.6e6 });
      expect(reading).toMatchObject({ gaps: [], notes: [], readyAtCut: 3000, readyAfter: 3000 });
      expect(sameBodies(reading.messages, filled)).toBeUndefined();
    }
    expect(sameBodies(await drain(vhost, "q"), filled)).toBeUndefined();
  });

  test.runIf(broker.containerId)("is not taken for empty when its leader does not answer", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", argumentsFor(broker, "quorum"));
    const filled = await fill(vhost, "q", 100);
    const leader = `whereis('${vhost.name}_q')`;
    await rabbitmqctl(broker, "eval", `sys:suspend(${leader}).`);
    const reading = readQueue(vhost, "q", plainRecipe(broker, "quorum"));
    const attaching = `{messages, M} = process_info(${leader}, messages), io_lib:format("~p", [M]).`;
    await until("the reader attaches", async () =>
      /mqbackup/.test(await rabbitmqctl(broker, "eval", attaching)),
    );
    await rabbitmqctl(broker, "eval", `sys:resume(${leader}).`);
    expect(await reading).toMatchObject({ gaps: [], readyAtCut: 100, readyAfter: 100 });
    expect(sameBodies((await reading).messages, filled)).toBeUndefined();
    expect(sameBodies(await drain(vhost, "q"), filled)).toBeUndefined();
  });

  test("of one message, or none", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", argumentsFor(broker, "quorum"));
    const recipe = plainRecipe(broker, "quorum");
    expect(await readQueue(vhost, "q", recipe)).toMatchObject({
      messages: [],
      gaps: [],
      readyAtCut: 0,
      readyAfter: 0,
    });
    await fill(vhost, "q", 1);
    for (let i = 0; i < 2; i++) {
      expect(await readQueue(vhost, "q", recipe)).toMatchObject({ gaps: [], readyAtCut: 1, readyAfter: 1 });
    }
  });

  test("whose messages have priorities is read in the order it delivers, and keeps it", async () => {
    await using vhost = await freshVhost(broker);
    const messages = withPriorities(300);
    for (const queue of ["q", "control"]) {
      await declareQueue(vhost, queue, "quorum", argumentsFor(broker, "quorum"));
      await publishAll(vhost, queue, messages);
    }
    for (let i = 0; i < 2; i++) await readQueue(vhost, "q", plainRecipe(broker, "quorum"));
    const reading = await readQueue(vhost, "q", plainRecipe(broker, "quorum"));
    const control = await drain(vhost, "control");
    expect(sameBodies(reading.messages, control)).toBeUndefined();
    expect(sameBodies(await drain(vhost, "q"), control)).toBeUndefined();
  });

  test("held in part keeps its order as long as it can be held whole", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", argumentsFor(broker, "quorum"));
    const filled = await fill(vhost, "q", 1000, { bodyBytes: 60 });
    const recipe = plainRecipe(broker, "quorum");
    await readQueue(vhost, "q", recipe, { atMost: 600 });
    const reading = await readQueue(vhost, "q", recipe, { atMost: 100 });
    expect(reading).toMatchObject({ gaps: [], notes: [], readyAtCut: 100, readyAfter: 1000 });
    expect(sameBodies(reading.messages, filled.slice(0, 100))).toBeUndefined();
    expect(sameBodies(await drain(vhost, "q"), filled)).toBeUndefined();
  });
});

describe.each(brokersOf("3.10"))("a delivery limit on $version", (broker) => {
  test("is not touched without leave; with it, as many deliveries as said are kept", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", { "x-delivery-limit": 3 });
    const filled = await fill(vhost, "q", 200);
    const limited = { arguments: { "x-delivery-limit": 3 } };
    expect(verdictFor(broker, "quorum", limited).danger).toMatchObject({ flag: "--keep-deliveries" });
    const recipe = recipeFor(broker, "quorum", limited, { keepDeliveries: 2 });
    for (let i = 0; i < 2; i++) {
      const reading = await readQueue(vhost, "q", recipe);
      expect(reading).toMatchObject({ gaps: [], notes: [], readyAfter: 200 });
      expect(sameBodies(reading.messages, filled)).toBeUndefined();
    }
    const spent = await readQueue(vhost, "q", recipe);
    expect(spent.gaps).toMatchObject([{ code: "DELIVERIES_SPENT", messages: 199 }]);
    await untilReady(vhost, "q", 200);
  });
});

describe.each(brokersOf("4.0"))("a delivery limit on $version", (broker) => {
  const recipe = () => recipeFor(broker, "quorum", { deliveryLimit: 20 }, { keepDeliveries: 5 });

  test("a reading stops soon after a message that has too few deliveries left", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum");
    await fill(vhost, "q", 500);
    await tire(vhost, "q", { messages: 3, deliveries: 17 });
    // What goes back goes behind what went back before: so the tired ones are no longer first.
    await tire(vhost, "q", { messages: 6, deliveries: 1 });
    await tire(vhost, "q", { messages: 3, deliveries: 1 });

    const first = await readQueue(vhost, "q", recipe());
    expect(numbers(first).slice(0, 7)).toEqual([3, 4, 5, 0, 1, 2, 6]);
    expect(first.messages.length).toBeLessThan(100);
    expect(first.gaps).toMatchObject([{ code: "DELIVERIES_SPENT", messages: 500 - first.messages.length }]);
    expect(first.notes).toContain("3 messages have fewer than 5 deliveries left");
    await untilReady(vhost, "q", 500);
  });

  test("messages at their limit when they were looked at are in the backup before they are dropped", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", {
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": "dead",
    });
    await declareQueue(vhost, "dead", "classic");
    await fill(vhost, "q", 100);
    await tire(vhost, "q", { messages: 1, deliveries: 20 });
    const reading = await readQueue(vhost, "q", recipe());
    expect(numbers(reading)).toEqual([0]);
    expect(reading.gaps).toMatchObject([{ code: "DELIVERIES_SPENT", messages: 99 }]);
    expect(reading.notes).toContainEqual(expect.stringMatching(/1 messages had reached the delivery limit/));
    await untilReady(vhost, "dead", 1);
    await untilReady(vhost, "q", 99);
  });
});

describe.each(brokersOf("4.3"))("a delivery limit on $version", (broker) => {
  test("messages at their limit are named, and stay", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", { "x-delivery-limit": 2 });
    await fill(vhost, "q", 10);
    await tire(vhost, "q", { messages: 10, deliveries: 2 });
    for (let i = 0; i < 3; i++) {
      const reading = await readQueue(vhost, "q", recipeFor(broker, "quorum", { deliveryLimit: 2 }));
      expect(reading.messages).toHaveLength(10);
      expect(reading.notes).toEqual([expect.stringContaining("10 messages have reached the delivery limit")]);
      await untilReady(vhost, "q", 10);
    }
  });

  test("a header that a publisher sent proves nothing and is not kept", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum");
    const headers = { "x-acquired-count": 1, "x-delivery-count": 19 };
    const messages = Array.from({ length: 20 }, (_, n) => ({
      body: labMessage(n).body,
      properties: { headers },
    }));
    await publishAll(vhost, "q", messages);
    for (let i = 0; i < 3; i++) {
      const reading = await readQueue(vhost, "q", plainRecipe(broker, "quorum"));
      expect(reading).toMatchObject({ gaps: [], readyAfter: 20 });
      expect(reading.messages.map(({ rawProperties }) => rawProperties.includes("x-"))).not.toContain(true);
    }
    expect(await drain(vhost, "q")).toHaveLength(20);
  });

  test("delayed retry: of all is refused, of failures does no harm", async () => {
    await using vhost = await freshVhost(broker);
    expect(verdictFor(broker, "quorum", { deliveryLimit: 20, delayedRetry: "all" }).danger?.code).toBe(
      "delayed-retry",
    );
    const args = { "x-delayed-retry-type": "failed", "x-delayed-retry-min": 60_000 };
    await declareQueue(vhost, "q", "quorum", args);
    const filled = await fill(vhost, "q", 200);
    const recipe = plainRecipe(broker, "quorum", { delayedRetry: "failed", arguments: args });
    for (let i = 0; i < 2; i++) {
      expect(await readQueue(vhost, "q", recipe)).toMatchObject({ gaps: [], readyAfter: 200 });
    }
    expect(sameBodies(await drain(vhost, "q"), filled)).toBeUndefined();
  });

  test("delayed retry of returned messages: given back by closing, within the limit", async () => {
    await using vhost = await freshVhost(broker);
    const args = { "x-delayed-retry-type": "returned", "x-delayed-retry-min": 60_000 };
    await declareQueue(vhost, "q", "quorum", args);
    const filled = await fill(vhost, "q", 200);
    const more = { delayedRetry: "returned", arguments: args };
    expect(verdictFor(broker, "quorum", { deliveryLimit: 20, ...more }).danger?.code).toBe("delivery-limit");
    const recipe = recipeFor(broker, "quorum", { deliveryLimit: 20, ...more }, { keepDeliveries: 5 });
    for (let i = 0; i < 2; i++) {
      expect(await readQueue(vhost, "q", recipe)).toMatchObject({ gaps: [], readyAfter: 200 });
    }
    expect(sameBodies(await drain(vhost, "q"), filled)).toBeUndefined();
  });
});

/** Takes the first messages and gives them back by closing, which counts. */
async function tire(
  vhost: LabVhost,
  queue: string,
  how: { readonly messages: number; readonly deliveries: number },
): Promise<void> {
  const { messages, deliveries } = how;
  for (let i = 0; i < deliveries; i++) {
    await using lane = await openChannel(vhost.url);
    const before = (await lane.channel.checkQueue(queue)).messageCount;
    const channel = await lane.connection.createChannel();
    let held = 0;
    await channel.prefetch(messages);
    await channel.consume(queue, () => held++);
    await until(`${messages} held`, () => held === messages, { everyMs: 5 });
    await channel.close();
    await untilReady(vhost, queue, before, { everyMs: 5 });
  }
}

function withPriorities(count: number): LabMessage[] {
  return Array.from({ length: count }, (_, n) => {
    const { body, properties } = labMessage(n);
    // No order and every value; some have none.
    return { body, properties: n % 5 === 4 ? properties : { ...properties, priority: (n * 7) % 11 } };
  });
}

function numbers(reading: { readonly messages: readonly { readonly body: Buffer }[] }): number[] {
  return reading.messages.map(numberOf);
}

function sameBodies(
  actual: readonly { readonly body: Buffer }[],
  expected: readonly { readonly body: Buffer }[],
): string | undefined {
  return firstDifference(
    actual.map(({ body }) => ({ body })),
    expected.map(({ body }) => ({ body })),
  );
}
