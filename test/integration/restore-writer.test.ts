import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { temporaryExchangeName } from "../../src/adapters/amqp/temporary-exchange.ts";
import { stripAnnotations } from "../../src/domain/property-section.ts";
import type { Route } from "../../src/domain/restore-request.ts";
import type { OutgoingMessage } from "../../src/ports/queue-writer.ts";
import { openChannel } from "../lab/channel.ts";
import { firstDifference } from "../lab/compare.ts";
import { drain, drainStream } from "../lab/drain.ts";
import { createUser, deleteUser, managementGet } from "../lab/management.ts";
import { declareQueue, readyCount, untilReady } from "../lab/queues.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";
import { labWriter, outgoing } from "../lab/write.ts";
import { encodeProperties, header, longstr, type Field, type Header } from "../unit/domain/wire-values.ts";

const text = (value: string): Buffer => Buffer.from(value);

describe.each(sharedBrokers())("writing on $version", (broker) => {
  test.each(["classic", "quorum"] as const)(
    "every property byte reaches a %s queue as it is",
    async (type) => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type);
      const messages = EVERY_KIND.map((properties, i) => outgoing(`body ${i}`, { properties }));
      await publish(vhost, "q", "fanout", messages);
      const arrived = await drain(vhost, "q");
      expect(arrived.map(({ body }) => body.toString())).toEqual(messages.map((_, i) => `body ${i}`));
      for (const [i, properties] of EVERY_KIND.entries()) {
        const raw = arrived[i]?.rawProperties ?? Buffer.alloc(0);
        // 3.10 adds a delivery count to the deliveries of a quorum queue.
        const clean = type === "quorum" ? (bytes: Uint8Array) => stripAnnotations(bytes).properties : asIs;
        expect(hex(clean(raw))).toBe(hex(clean(properties)));
      }
      expect(new Set(arrived.map(({ routingKey }) => routingKey))).toEqual(new Set(["orders.new"]));
    },
  );

  test.each(["classic", "quorum", "stream"] as const)(
    "order and bodies of a %s queue, over several windows",
    async (type) => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type);
      const sizes = [0, 1, 200, 5000, 131_064, 131_065, 400_000, 3_000_000];
      const messages = Array.from({ length: 20_000 }, (_, i) => outgoing(`${i}`));
      for (const [i, size] of sizes.entries()) messages[i * 2000] = outgoing(randomBytes(size));
      await publish(vhost, "q", "fanout", messages, { windowMessages: 500, windowBytes: 2_000_000 });
      const arrived = type === "stream" ? await drainStream(vhost, "q") : await drain(vhost, "q");
      expect(arrived.length).toBe(messages.length);
      expect(messages.findIndex(({ body }, i) => !arrived[i]?.body.equals(body))).toBe(-1);
    },
  );

  test("the default route uses the queue's name", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await publish(vhost, "q", "default", [outgoing("a")]);
    const [arrived] = await drain(vhost, "q");
    expect(arrived).toMatchObject({ exchange: "", routingKey: "q" });
  });

  test("the origin route uses each message's own exchange and routing key", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await bind(vhost, "orders", "q", "orders.*");
    await publish(vhost, "q", "origin", [outgoing("a", { routingKey: "orders.old" })]);
    const [arrived] = await drain(vhost, "q");
    expect(arrived).toMatchObject({ exchange: "orders", routingKey: "orders.old" });
  });

  test("what came by the default exchange goes by it again, in order with the rest", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum");
    const messages = Array.from({ length: 2000 }, (_, i) =>
      outgoing(`${i}`, i % 3 === 0 ? { exchange: "", routingKey: "q" } : {}),
    );
    await publish(vhost, "q", "fanout", messages);
    const arrived = await drain(vhost, "q");
    expect(firstDifference(arrived.map(bodyOf), messages.map(bodyOf))).toBeUndefined();
    const temporary = temporaryExchangeName({ vhost: vhost.name, name: "q" });
    expect(arrived.slice(0, 3)).toMatchObject([
      { exchange: "", routingKey: "q" },
      { exchange: temporary, routingKey: "orders.new" },
      { exchange: temporary, routingKey: "orders.new" },
    ]);
  });

  test("a CC header reaches no other queue by the fanout route", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await declareQueue(vhost, "other", "classic");
    const properties = withHeaders([header("CC", { tag: "A", value: [longstr("other")] })]);
    const both = [
      outgoing("a", { properties }),
      outgoing("b", { properties, exchange: "", routingKey: "q" }),
    ];
    await publish(vhost, "q", "fanout", both);
    expect(await readyCount(vhost, "other")).toBe(0);
    const arrived = await drain(vhost, "q");
    expect(arrived.map(({ rawProperties }) => rawProperties.toString("hex"))).toEqual(
      both.map(() => properties.toString("hex")),
    );
    await publish(vhost, "q", "default", both);
    await untilReady(vhost, "other", 2); // why the default route asks before it takes such messages
  });

  test("a user id that is not the login's needs an impersonator", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    const properties = encodeProperties({ deliveryMode: 2, userId: text("alice") });
    const plain = await labUser(vhost, { tags: [] });
    const impersonator = await labUser(vhost, { tags: ["impersonator"] });
    try {
      const refused = publish(vhost, "q", "fanout", [outgoing("a", { properties })], {}, plain);
      await expect(refused).rejects.toMatchObject({
        code: "PUBLISH_REFUSED",
        hint: expect.stringContaining("impersonator") as string,
      });
      await publish(vhost, "q", "fanout", [outgoing("a", { properties })], {}, impersonator);
      expect((await drain(vhost, "q"))[0]?.rawProperties.toString("hex")).toBe(properties.toString("hex"));
    } finally {
      await deleteUser(broker, plain);
      await deleteUser(broker, impersonator);
    }
  });

  test("an expiration that is no number is refused in words", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    const properties = encodeProperties({ expiration: text("soon") });
    await expect(publish(vhost, "q", "fanout", [outgoing("a", { properties })])).rejects.toMatchObject({
      code: "PUBLISH_REFUSED",
      hint: expect.stringContaining("--expiration drop") as string,
    });
  });

  test("properties that do not fit into a frame are named", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    const properties = withHeaders([header("big", longstr("x".repeat(140_000)))]);
    await expect(
      publish(vhost, "q", "fanout", [outgoing("a"), outgoing("b", { properties })]),
    ).rejects.toMatchObject({
      code: "PUBLISH_REFUSED",
      message: expect.stringMatching(/^message 2 for queue q .* has 1400\d\d bytes of properties/) as string,
    });
  });

  test("a queue that vanishes is noticed, also with headers amqplib cannot decode", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await using writer = await labWriter(vhost);
    await using publication = await writer.open({ vhost: vhost.name, name: "q" }, "default");
    await publication.publish([outgoing("a")]);
    await publication.flush();
    await using lane = await openChannel(vhost.url);
    await lane.channel.deleteQueue("q");
    const properties = withHeaders([header("n", { tag: "L", value: 2n ** 63n + 1n })]);
    await expect(
      publication.publish([outgoing("b", { properties })]).then(() => publication.flush()),
    ).rejects.toMatchObject({ code: "PUBLISH_UNROUTABLE" });
    expect(publication.confirmed).toBe(1);
    await expect(publication.publish([outgoing("c")])).rejects.toMatchObject({ code: "PUBLISH_UNROUTABLE" });
  });

  test.each(["classic", "quorum"] as const)(
    "a full %s queue that rejects ends the publishing",
    async (type) => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, { "x-max-length": 100, "x-overflow": "reject-publish" });
      await using writer = await labWriter(vhost);
      await using publication = await writer.open({ vhost: vhost.name, name: "q" }, "fanout");
      const messages = Array.from({ length: 1000 }, (_, i) => outgoing(`${i}`));
      await expect(publication.publish(messages).then(() => publication.flush())).rejects.toMatchObject({
        code: "PUBLISH_REFUSED",
        message: expect.stringContaining("refused message") as string,
      });
      const ready = await readyCount(vhost, "q");
      expect(publication.confirmed).toBeLessThanOrEqual(ready);
      expect((await drain(vhost, "q")).map(({ body }) => Number(body.toString()))).toEqual(
        Array.from({ length: ready }, (_, i) => i),
      );
    },
  );

  test("the temporary exchange goes when the publication ends, and one left behind is replaced", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await declareQueue(vhost, "tap", "classic");
    const name = temporaryExchangeName({ vhost: vhost.name, name: "q" });
    // As a killed run leaves it, and somebody has bound a queue to it since.
    await using lane = await openChannel(vhost.url);
    await lane.channel.assertExchange(name, "fanout", { durable: false, autoDelete: true });
    await lane.channel.bindQueue("q", name, "");
    await lane.channel.bindQueue("tap", name, "");
    await publish(vhost, "q", "fanout", [outgoing("a")]);
    expect(await exchanges(vhost)).not.toContain(name);
    expect(await readyCount(vhost, "q")).toBe(1);
    expect(await readyCount(vhost, "tap")).toBe(0);
  });

  test("an exchange left behind goes with its queue", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    const name = temporaryExchangeName({ vhost: vhost.name, name: "q" });
    await using lane = await openChannel(vhost.url);
    await lane.channel.assertExchange(name, "fanout", { durable: false, autoDelete: true });
    await lane.channel.bindQueue("q", name, "");
    await lane.channel.deleteQueue("q");
    expect(await exchanges(vhost)).not.toContain(name);
  });

  test("two publications into one queue exclude each other", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await using writer = await labWriter(vhost);
    const queue = { vhost: vhost.name, name: "q" };
    {
      await using first = await writer.open(queue, "fanout");
      expect(first.unprotected).toBe(false);
      await expect(writer.open(queue, "default")).rejects.toMatchObject({ code: "QUEUE_LOCKED" });
    }
    await using again = await writer.open(queue, "fanout");
    expect(again.unprotected).toBe(false);
  });

  test("a missing queue is told apart from an empty one", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await using writer = await labWriter(vhost);
    expect(await writer.inspect({ vhost: vhost.name, name: "q" })).toEqual({ ready: 0, consumers: 0 });
    expect(await writer.inspect({ vhost: vhost.name, name: "nowhere" })).toBeNull();
    await expect(writer.open({ vhost: vhost.name, name: "nowhere" }, "fanout")).rejects.toMatchObject({
      code: "QUEUE_MISSING",
    });
  });
});

async function publish(
  vhost: LabVhost,
  queue: string,
  route: Route,
  messages: readonly OutgoingMessage[],
  limits = {},
  user?: string,
): Promise<void> {
  await using writer = await labWriter(vhost, { limits, ...(user === undefined ? {} : { user }) });
  await using publication = await writer.open({ vhost: vhost.name, name: queue }, route);
  await publication.publish(messages);
  await publication.flush();
  expect(publication.confirmed).toBe(messages.length);
}

function asIs(bytes: Uint8Array): Uint8Array {
  return bytes;
}

function bodyOf({ body }: Pick<OutgoingMessage, "body">): { readonly body: Buffer } {
  return { body: Buffer.from(body) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

async function bind(vhost: LabVhost, exchange: string, queue: string, key: string): Promise<void> {
  await using lane = await openChannel(vhost.url);
  await lane.channel.assertExchange(exchange, "topic");
  await lane.channel.bindQueue(queue, exchange, key);
}

async function exchanges(vhost: LabVhost): Promise<string[]> {
  const listed = await managementGet(vhost.broker, `/api/exchanges/${encodeURIComponent(vhost.name)}`);
  return (listed as { readonly name: string }[]).map(({ name }) => name);
}

async function labUser(vhost: LabVhost, { tags }: { readonly tags: readonly string[] }): Promise<string> {
  const name = `lab-${randomBytes(6).toString("hex")}`;
  const all = { vhost: vhost.name, configure: ".*", write: ".*", read: ".*" };
  await createUser(vhost.broker, { name, password: name, tags, permissions: [all] });
  return name;
}

function withHeaders(headers: readonly Header[]): Buffer {
  return encodeProperties({ headers, deliveryMode: 2 });
}

/** One message each: every type a header can have, and every property. Keys in the order brokers sort them. */
const FIELDS: readonly Field[] = [
  { tag: "t", value: true },
  { tag: "b", value: -5 },
  { tag: "B", value: 200 },
  { tag: "s", value: -300 },
  { tag: "u", value: 65_280 },
  { tag: "I", value: 5 },
  { tag: "i", value: 4_000_000_000 },
  { tag: "l", value: 5n },
  { tag: "l", value: 9_007_199_254_740_993n },
  { tag: "f", value: 0.1 },
  { tag: "d", value: 3 },
  { tag: "d", value: -0 },
  { tag: "D", scale: 2, digits: 314 },
  { tag: "T", value: 1_700_000_000n },
  { tag: "S", value: Buffer.from("fffe0080", "hex") },
  { tag: "x", value: Buffer.from("00ff", "hex") },
  { tag: "A", value: [{ tag: "I", value: 1 }, longstr("x"), { tag: "V" }] },
  { tag: "F", value: [header("inner", { tag: "f", value: 1.5 })] },
  { tag: "V" },
];

const EVERY_KIND: readonly Buffer[] = [
  ...FIELDS.map((field) => withHeaders([header("h", field)])),
  withHeaders([
    header("1", longstr("a")),
    header("__proto__", longstr("b")),
    header("z", { tag: "t", value: false }),
  ]),
  withHeaders([]),
  encodeProperties({}),
  encodeProperties({ deliveryMode: 1 }),
  encodeProperties({
    contentType: text("a/b"),
    contentEncoding: text("gzip"),
    headers: [],
    deliveryMode: 2,
    priority: 4, // higher ones overtake in a quorum queue
    correlationId: Buffer.from("ff00", "hex"),
    replyTo: text("r"),
    messageId: text("m"),
    timestamp: 18_446_744_073_709_551_615n,
    type: text("t"),
    userId: text("guest"),
    appId: text("a"),
    clusterId: text("c"),
  }),
];
