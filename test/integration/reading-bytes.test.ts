import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { canonicalSection, stripAnnotations } from "../../src/domain/property-section.ts";
import { publishUndeliverable } from "../lab/amqp10.ts";
import type { Broker } from "../lab/brokers.ts";
import { drain } from "../lab/drain.ts";
import { fill, numberOf, publishAll } from "../lab/publish.ts";
import { declareQueue, untilReady } from "../lab/queues.ts";
import { openCursor, readAll, readQueue } from "../lab/read.ts";
import { argumentsFor, brokersOf, plainRecipe } from "../lab/recipes.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";
import { labWriter, outgoing } from "../lab/write.ts";
import { encodeProperties, header, longstr } from "../unit/domain/wire-values.ts";

describe.concurrent.each(sharedBrokers())("bytes read on $version", (broker) => {
  test.each(["classic", "quorum"] as const)(
    "properties of a %s queue's messages are as the broker keeps them",
    async (type) => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      const sections = SECTIONS.filter(({ name }) => !refused(broker).has(name));
      await publishRaw(
        vhost,
        "q",
        sections.map(({ section }) => section),
      );
      for (let i = 0; i < 2; i++) {
        // What 3.10 delivers again from a quorum queue has another header, and the others sorted: compared in canonical form.
        const form = broker.version === "3.10" && type === "quorum" && i > 0 ? canonicalSection : asIs;
        const reading = await readQueue(vhost, "q", plainRecipe(broker, type));
        expect(reading.gaps).toEqual([]);
        // Quorum queues deliver by priority.
        const inOrder = reading.messages.toSorted((a, b) => sequenceOf(a) - sequenceOf(b));
        const read = inOrder.map(({ rawProperties }, n) => [sections[n]?.name, hex(form(rawProperties))]);
        expect(read).toEqual(
          sections.map(({ name, section }) => [name, hex(form(kept(broker, type, section)))]),
        );
      }
    },
  );

  test("bodies of every size around the frame's, and routing keys", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    const sizes = [0, 1, 4095, 4096, 65_536, 131_063, 131_064, 131_065, 262_144, 1_000_000, 0, 10];
    const messages = sizes.map((size, i) => ({ body: Buffer.alloc(size, i + 1), properties: {} }));
    await publishAll(vhost, "q", messages);
    for (let i = 0; i < 3; i++) {
      const reading = await readQueue(vhost, "q", plainRecipe(broker, "classic"));
      expect(reading.messages.map(({ body }) => body.length)).toEqual(sizes);
      expect(reading.messages.every(({ body }, n) => messages[n]?.body.equals(body))).toBe(true);
      expect(reading.messages[0]?.routingKey).toBe("q");
    }
  });

  test.each(["classic", "quorum"] as const)(
    "messages as large as the broker takes, in a %s queue",
    async (type) => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      // 128 MiB before 4.0, 16 MiB since.
      const bytes = broker.version === "3.10" ? 100 * 2 ** 20 : 16 * 2 ** 20;
      const messages = [10, bytes, 0, bytes - 1].map((size, i) => ({
        body: Buffer.alloc(size, i),
        properties: {},
      }));
      await publishAll(vhost, "q", messages);
      const reading = await readQueue(vhost, "q", plainRecipe(broker, type), { averageBodyBytes: bytes / 2 });
      expect(reading).toMatchObject({ gaps: [], readyAfter: 4 });
      expect(reading.messages.map(({ body }, n) => messages[n]?.body.equals(body))).toEqual([
        true,
        true,
        true,
        true,
      ]);
    },
  );

  test("a reading that is kept waiting for long is not cut off", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await fill(vhost, "q", 40, { bodyBytes: 500_000 });
    const recipe = plainRecipe(broker, "classic");
    await using cursor = await openCursor(vhost, "q", recipe, { heartbeatSeconds: 1 });
    let batches = 0;
    const messages = await readAll(cursor, async () => {
      if (batches++ === 0) await delay(6000);
    });
    expect(batches).toBeGreaterThan(1);
    expect(cursor.gaps).toEqual([]);
    expect(messages.map(numberOf)).toEqual(Array.from({ length: 40 }, (_, n) => n));
  });
});

describe.concurrent.each(brokersOf("4.0", "4.3"))(
  "what cannot be delivered over AMQP 0-9-1, on $version",
  (broker) => {
    test.each(["classic", "quorum"] as const)(
      "ends the reading of a %s queue, with its cause, and stays",
      async (type) => {
        await using vhost = await freshVhost(broker);
        await declareQueue(vhost, "q", type, argumentsFor(broker, type));
        await fill(vhost, "q", 20);
        await publishUndeliverable(vhost, "q");
        await fill(vhost, "q", 20, { from: 20 });
        const reading = await readQueue(vhost, "q", plainRecipe(broker, type));
        expect(reading.gaps).toMatchObject([
          {
            code: "UNDELIVERABLE",
            message: expect.stringMatching(/uuid or char/),
            messages: 41 - reading.messages.length,
          },
        ]);
        await untilReady(vhost, "q", 41);
      },
    );

    test("at the head of a quorum queue costs it one delivery, and is named", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", "quorum", {
        "x-delivery-limit": 1,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "dead",
      });
      await declareQueue(vhost, "dead", "classic");
      await publishUndeliverable(vhost, "q");
      await fill(vhost, "q", 5);
      const recipe = plainRecipe(broker, "quorum", { deliveryLimit: 1 }, { keepDeliveries: 1 });
      const reading = readQueue(vhost, "q", recipe);
      await expect(reading).rejects.toMatchObject({
        code: "QUEUE_UNREADABLE",
        message: expect.stringMatching(/uuid or char/),
        hint: expect.stringMatching(/do not try again/i),
      });
      // A second try would have been one too many for the limit.
      await untilReady(vhost, "q", 6);
      expect(await drain(vhost, "dead")).toEqual([]);
    });
  },
);

interface Section {
  readonly name: string;
  readonly section: Buffer;
}

const SECTIONS: readonly Section[] = [
  ...vectors(),
  {
    name: "all properties",
    section: encodeProperties({
      contentType: Buffer.from("a/b"),
      contentEncoding: Buffer.from("gzip"),
      headers: [header("h", longstr("v"))],
      deliveryMode: 2,
      priority: 4, // higher ones overtake in a quorum queue
      correlationId: Buffer.from("ff00", "hex"),
      replyTo: Buffer.from("r"),
      expiration: Buffer.from("3600000"),
      messageId: Buffer.from("m"),
      timestamp: 18_446_744_073_709_551_615n,
      type: Buffer.from("t"),
      userId: Buffer.from("guest"),
      appId: Buffer.from("a"),
      clusterId: Buffer.from("c"),
    }),
  },
];

function vectors(): Section[] {
  const file = new URL("../../fixtures/records-v1.json", import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, "utf8")) as {
    cases: { name: string; expected: { delivered: string } }[];
  };
  return cases.map(({ name, expected }) => ({ name, section: Buffer.from(expected.delivered, "hex") }));
}

/** What no broker takes (a reply queue that is not there, a foreign user, NaN, tags and flags nobody knows), and 3.10 alone. */
function refused(broker: Broker): ReadonlySet<string> {
  return new Set([
    "every property but headers",
    "short strings of the greatest length",
    "numbers at their limits",
    "a header type nobody knows, which is left as it is",
    "a second word of flags, which is left as it is",
    ...(broker.version === "3.10" ? ["properties of unusual values"] : []),
  ]);
}

/** What a broker makes of a section before it delivers it: 3.10 next to nothing; newer ones sort headers and drop repeated ones. */
function kept(broker: Broker, type: "classic" | "quorum", section: Buffer): Buffer {
  const stripped = Buffer.from(stripAnnotations(section).properties);
  if (broker.version === "3.10" && type === "classic") return stripped;
  const signed = Buffer.from(stripped.toString("latin1").replace("\x06uint64L", "\x06uint64l"), "latin1");
  if (broker.version === "3.10") return signed;
  return REPEATED.get(signed.toString("hex")) ?? Buffer.from(canonicalSection(signed));
}

/** Headers b, a, "", ab, a, b, b become "", a, ab, b: of each the last but one, the last, the only, the last. */
const REPEATED = new Map([
  [
    "28000000003001624900000002016153000000067365636f6e640074010261625601614900000009016249000000010162490000000205",
    Buffer.from("28000000001b007401016153000000067365636f6e64026162560162490000000205", "hex"),
  ],
]);

function asIs(section: Uint8Array): Uint8Array {
  return section;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function sequenceOf({ body }: { readonly body: Buffer }): number {
  return Number(body.toString());
}

async function publishRaw(vhost: LabVhost, queue: string, sections: readonly Buffer[]): Promise<void> {
  await using writer = await labWriter(vhost);
  await using publication = await writer.open({ vhost: vhost.name, name: queue }, "fanout");
  await publication.publish(sections.map((properties, i) => outgoing(`${i}`, { properties })));
  await publication.flush();
}
