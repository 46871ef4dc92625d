import type { GetMessage } from "amqplib";
import { describe, expect, test } from "vitest";
import { openChannel } from "../lab/channel.ts";
import { firstDifference } from "../lab/compare.ts";
import { drain, type Drained } from "../lab/drain.ts";
import { createUser, deleteUser } from "../lab/management.ts";
import { labMessage, publishAll, type LabMessage } from "../lab/publish.ts";
import { declareQueue, deleteQueue, untilReady, type QueueType } from "../lab/queues.ts";
import { expectFailure, newScene } from "../lab/scene.ts";
import { newestBroker, sharedBrokers } from "../lab/shared-brokers.ts";
import type { LabVhost } from "../lab/vhost.ts";

const MESSAGES = 60;
const KEYS = ["order.paid", "order.sent", "order"];

describe.each(sharedBrokers())(
  "$version: dead-lettered messages go back to where they came from,",
  (broker) => {
    test.each([
      { how: "rejected", type: "classic", die: rejectAll },
      { how: "rejected", type: "quorum", die: rejectAll },
      { how: "expired", type: "classic", die: untilExpired },
    ] as const)("$how in a $type queue", async ({ type, die }) => {
      await using scene = await newScene(broker);
      const { vhost } = scene;
      await declareShop(vhost, type, die === untilExpired ? { "x-message-ttl": 1 } : {});
      const published = await publishOrders(vhost);
      // How they are when they have never died: by the same exchange, in a queue without a way to die.
      const original = await drain(vhost, "witness");
      expect(firstDifference(original, published)).toBeUndefined();
      await die(vhost);

      const backup = await scene.run(["full", "--queue", "work.dlq", "--drain"]);
      expect(backup).toMatchObject({ status: 0 });
      const dry = await scene.run(["restore", "--id", "latest", "--to-origin", "--dry-run"]);
      expect(dry).toMatchObject({ status: 0 });
      expect(dry.stdout).toMatch(/^work\.dlq in \S+ +where it died from +60 +-/m);
      for (const key of KEYS) {
        expect(dry.stdout).toContain(`20 messages to exchange shop, routing key ${key}\n`);
      }
      expect(await drain(vhost, "witness")).toEqual([]);

      const restored = await scene.run(["restore", "--id", "latest", "--to-origin"]);
      expect(restored).toMatchObject({ status: 0 });
      expectSame(await drain(vhost, "witness"), original);
      await scene.expectNothingLeft();
    });

    test("with what the broker wrote into them, when that is asked for", async () => {
      await using scene = await newScene(broker);
      const { vhost } = scene;
      await declareShop(vhost, "classic");
      await publishOrders(vhost);
      await drain(vhost, "witness");
      await rejectAll(vhost);
      const id = await scene.backup("--queue", "work.dlq");
      const dead = await drain(vhost, "work.dlq");
      expect(
        await scene.run([
          "restore",
          "--id",
          id,
          "--to-origin",
          "--death-header",
          "keep",
          "--queue",
          "work.dlq",
        ]),
      ).toMatchObject({ status: 0 });
      const back = await drain(vhost, "witness");
      expect(firstDifference(back, dead)).toBeUndefined();
      expect(back.map(({ routingKey }) => routingKey)).toEqual(orders().map(({ key }) => key));
      expect(back[0]?.properties.headers).toMatchObject({ "x-first-death-queue": "work" });
    });

    test("of a first death, not of the last, however often they went round", async () => {
      await using scene = await newScene(broker);
      const { vhost } = scene;
      await declareShop(vhost, "classic");
      await using lane = await openChannel(vhost.url);
      // A retry by waiting, as many do it: dead in work, dead in wait, back in work, and at last given up.
      await declareQueue(vhost, "wait", "classic", {
        "x-message-ttl": 1,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "work",
      });
      await lane.channel.unbindQueue("work.dlq", "shop.dlx", "#");
      await lane.channel.bindQueue("wait", "shop.dlx", "#");
      await publishOrders(vhost);
      const original = await drain(vhost, "witness");
      for (const last of [false, false, true]) {
        if (last) {
          await lane.channel.unbindQueue("wait", "shop.dlx", "#");
          await lane.channel.bindQueue("work.dlq", "shop.dlx", "#");
        }
        await untilReady(vhost, "work", MESSAGES);
        await rejectAll(vhost, last ? "work.dlq" : "work");
      }
      await scene.backup("--queue", "work.dlq");
      expect(await scene.run(["restore", "--id", "latest", "--to-origin"])).toMatchObject({ status: 0 });
      expectSame(await drain(vhost, "witness"), original);
    });
  },
);

describe("--to-origin", () => {
  test("refuses messages that did not die, before it sends any", async () => {
    await using scene = await newScene(newestBroker());
    const { vhost } = scene;
    await declareShop(vhost, "classic");
    await publishOrders(vhost);
    await drain(vhost, "witness");
    await rejectAll(vhost);
    await publishAll(vhost, "work.dlq", [labMessage(1000), labMessage(1001)]);
    await untilReady(vhost, "work.dlq", MESSAGES + 2);
    const id = await scene.backup("--queue", "work.dlq");
    const restore = ["restore", "--id", id, "--to-origin"];
    expectFailure(await scene.run(restore), {
      status: 30,
      error: /2 messages of queue work\.dlq in .* \(the first has sequence 60\) cannot go back: no x-death/,
      hint: /--where '"x-death" in headers'/,
    });
    expect(await drain(vhost, "witness")).toEqual([]);
    const some = await scene.run([...restore, "--where", '"x-death" in headers', "--json", "--quiet"]);
    expect(some).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(some.stdout)).toMatchObject({
      plan: [
        {
          messages: MESSAGES,
          held: MESSAGES + 2,
          route: "origin",
          origins: KEYS.map((routingKey) => ({ exchange: "shop", routingKey, messages: 20 })),
        },
      ],
    });
    expect(await drain(vhost, "witness")).toHaveLength(MESSAGES);
  });

  test("refuses messages the broker would copy to other queues, until that is accepted", async () => {
    await using scene = await newScene(newestBroker());
    const { vhost } = scene;
    await declareShop(vhost, "classic");
    await declareQueue(vhost, "other", "classic");
    const copied = { ...labMessage(1), properties: { persistent: true, CC: ["other"] } };
    await publishAll(vhost, "work", [copied], "");
    await drain(vhost, "other");
    await rejectAll(vhost);
    const id = await scene.backup("--queue", "work.dlq");
    const restore = ["restore", "--id", id, "--to-origin"];
    expectFailure(await scene.run(restore), {
      status: 30,
      error: /1 message of queue work\.dlq in .* would be copied to other queues by a CC or BCC header/,
      hint: /--accept cc/,
    });
    expect(await scene.run([...restore, "--accept", "cc"])).toMatchObject({ status: 0 });
    expect(await drain(vhost, "work")).toHaveLength(1);
    expect(await drain(vhost, "other")).toHaveLength(1);
  });

  test("says where a message does not arrive any more", async () => {
    await using scene = await newScene(newestBroker());
    const { vhost } = scene;
    await declareShop(vhost, "classic");
    await publishOrders(vhost);
    await rejectAll(vhost);
    const id = await scene.backup("--queue", "work.dlq");
    await using lane = await openChannel(vhost.url);
    await lane.channel.deleteQueue("work");
    await lane.channel.deleteQueue("witness");
    const unbound = await scene.run(["restore", "--id", id, "--to-origin", "--quiet"]);
    expectFailure(unbound, {
      status: 1,
      error:
        /a message for the origins of queue work\.dlq in .* reached no queue by exchange shop with routing key "order\.paid"/,
      hint: /binding/,
      before: /^ *(failed|hint:)|work\.dlq/,
    });
    await lane.channel.deleteExchange("shop");
    const gone = await scene.run(["restore", "--id", id, "--to-origin", "--quiet"]);
    expectFailure(gone, {
      status: 1,
      error: /publishing to the origins of queue work\.dlq in .* was refused: .*no exchange 'shop'/,
      hint: /exchange or queue vanished/,
      before: /^ *(failed|hint:)|work\.dlq/,
    });
    await scene.expectNothingLeft();
  });

  test("needs no more of a user than the right to publish, and not the queue they lay in", async () => {
    await using scene = await newScene(newestBroker());
    const { vhost, broker } = scene;
    await declareShop(vhost, "classic");
    await publishOrders(vhost);
    await rejectAll(vhost);
    await drain(vhost, "witness");
    const id = await scene.backup("--queue", "work.dlq");
    await deleteQueue(vhost, "work.dlq");
    const user = `${scene.user}-replay`;
    const permissions = [{ vhost: vhost.name, configure: "^mqbackup\\.", write: "^shop$", read: "^$" }];
    await createUser(broker, { name: user, password: scene.password, tags: ["management"], permissions });
    const env = { MQBACKUP_URL: scene.url().replace(scene.user, user) };
    const result = await scene.run(["restore", "--id", id, "--to-origin"], { env });
    await deleteUser(broker, user);
    expect(result).toMatchObject({ status: 0 });
    expect(await drain(vhost, "witness")).toHaveLength(MESSAGES);
    await scene.expectNothingLeft();
  });
});

/**
 * Exchange shop leads to work, where messages die by the exchange shop.dlx into work.dlq, and to witness, which keeps what shop was
 * given as it was.
 */
async function declareShop(
  vhost: LabVhost,
  type: QueueType,
  args: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await declareQueue(vhost, "work", type, { "x-dead-letter-exchange": "shop.dlx", ...args });
  await declareQueue(vhost, "witness", "classic");
  await declareQueue(vhost, "work.dlq", "classic");
  await using lane = await openChannel(vhost.url);
  await lane.channel.assertExchange("shop", "topic");
  await lane.channel.assertExchange("shop.dlx", "topic");
  await lane.channel.bindQueue("work", "shop", "#");
  await lane.channel.bindQueue("witness", "shop", "#");
  await lane.channel.bindQueue("work.dlq", "shop.dlx", "#");
}

interface Order {
  readonly key: string;
  readonly message: LabMessage;
}

/** With headers and without, every third with the same key. Headers in the order of their names: 3.10 sorts them when one dies. */
function orders(): readonly Order[] {
  return Array.from({ length: MESSAGES }, (_, n) => {
    const { body, properties } = labMessage(n);
    const headers = Object.fromEntries(
      Object.entries(properties.headers ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
    const message = { body, properties: n % 5 === 0 ? { persistent: true } : { ...properties, headers } };
    return { key: KEYS[n % KEYS.length] ?? "", message };
  });
}

async function publishOrders(vhost: LabVhost): Promise<readonly LabMessage[]> {
  await using lane = await openChannel(vhost.url);
  for (const { key, message } of orders())
    lane.channel.publish("shop", key, message.body, message.properties);
  await lane.channel.waitForConfirms();
  return orders().map(({ message }) => message);
}

/** Refused at once: what a quorum queue before 4.3 is sent beyond 32 it takes in another order, and loses when the channel closes. */
const TOGETHER = 20;

/** All that is there is taken before any of it is refused: it may come back. So that they die in their order, a few at a time. */
async function rejectAll(vhost: LabVhost, into = "work.dlq"): Promise<void> {
  await using lane = await openChannel(vhost.url);
  const taken: GetMessage[] = [];
  for (;;) {
    const message = await lane.channel.get("work");
    if (message === false) break;
    taken.push(message);
  }
  for (let at = 0; at < taken.length; at += TOGETHER) {
    const some = taken.slice(at, at + TOGETHER);
    for (const message of some) lane.channel.nack(message, false, false);
    await untilReady(vhost, into, at + some.length);
  }
}

async function untilExpired(vhost: LabVhost): Promise<void> {
  await untilReady(vhost, "work.dlq", MESSAGES);
}

/** Properties of a message that was published with an empty header table, and without one. */
const EMPTY_TABLE = Buffer.from("30000000000002", "hex");
const NO_TABLE = Buffer.from("100002", "hex");

/** To the last byte, in order: exchange, routing key, properties, body. An empty header table is none: nobody can tell it any more. */
function expectSame(found: readonly Drained[], original: readonly Drained[]): void {
  const expected = original.map((message) =>
    message.rawProperties.equals(EMPTY_TABLE) ? { ...message, rawProperties: NO_TABLE } : message,
  );
  expect(expected).not.toEqual(original);
  expect(firstDifference(found, expected)).toBeUndefined();
  const places = (list: readonly Drained[]) => list.map(({ exchange, routingKey }) => [exchange, routingKey]);
  expect(places(found)).toEqual(places(original));
}
