import { describe, expect, test } from "vitest";
import type { QueueCursor } from "../../src/ports/queue-reader.ts";
import { openChannel } from "../lab/channel.ts";
import { firstDifference } from "../lab/compare.ts";
import { drain, type Drained } from "../lab/drain.ts";
import { startProxy } from "../lab/proxy.ts";
import { fill, type LabMessage } from "../lab/publish.ts";
import { declareQueue, deleteQueue, untilReady } from "../lab/queues.ts";
import { openCursor, readAll, type ReadMessage } from "../lab/read.ts";
import { argumentsFor, plainRecipe } from "../lab/recipes.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { until } from "../lab/until.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";

const HELD = { hold: "until-settled" } as const;
/** Bodies said to be so large make windows of quorum queues as small as they get. */
const SMALL_WINDOWS = { averageBodyBytes: 8e6 };

describe.concurrent.each(sharedBrokers())("draining on $version", (broker) => {
  describe.each(["classic", "quorum"] as const)("a %s queue", (type) => {
    const recipe = plainRecipe(broker, type, {}, { drain: true });

    async function filledQueue(vhost: LabVhost, count: number): Promise<LabMessage[]> {
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      return fill(vhost, "q", count, { bodyBytes: 60 });
    }

    test("removes what was read and nothing else", async () => {
      await using vhost = await freshVhost(broker);
      const filled = await filledQueue(vhost, 1000);
      const options = { ...HELD, ...SMALL_WINDOWS, atMost: 700 };
      let more: LabMessage[] = [];
      {
        await using cursor = await openCursor(vhost, "q", recipe, options);
        const messages = await readAll(cursor);
        expect(cursor).toMatchObject({ gaps: [], readyAtCut: 700, leftOver: 300, releasedAt: null });
        expect(sameBodies(messages, filled.slice(0, 700))).toBeUndefined();
        more = await fill(vhost, "q", 50, { from: 1000, bodyBytes: 60 });
        await cursor.settle("consume");
        expect(cursor.readyAfter).toBe(350);
        expect(cursor.releasedAt).not.toBeNull();
      }
      const left = await drain(vhost, "q");
      expect(sameBodies(left, [...filled.slice(700), ...more])).toBeUndefined();
      expect(left.filter(({ redelivered }) => redelivered)).toEqual([]);
    });

    test("all of it, in rounds", async () => {
      await using vhost = await freshVhost(broker);
      const filled = await filledQueue(vhost, 900);
      const read: ReadMessage[] = [];
      for (let round = 0; round < 3; round++) {
        await using cursor = await openCursor(vhost, "q", recipe, { ...HELD, ...SMALL_WINDOWS, atMost: 300 });
        read.push(...(await readAll(cursor)));
        await cursor.settle("consume");
        expect(cursor.readyAfter).toBe(600 - 300 * round);
      }
      expect(sameBodies(read, filled)).toBeUndefined();
      expect(await drain(vhost, "q")).toEqual([]);
    });

    test("removes only what was handed over when reading was left early", async () => {
      await using vhost = await freshVhost(broker);
      const filled = await filledQueue(vhost, 1000);
      {
        await using cursor = await openCursor(vhost, "q", recipe, { ...HELD, ...SMALL_WINDOWS });
        let seen = 0;
        for await (const batch of cursor) {
          seen += batch.length;
          if (seen > 0) break;
        }
        await cursor.settle("consume");
        expect(sameBodies(await drain(vhost, "q"), filled.slice(seen))).toBeUndefined();
      }
    });

    test("a read that is given back is there again, in order", async () => {
      await using vhost = await freshVhost(broker);
      const filled = await filledQueue(vhost, 1000);
      for (const end of ["settle", "dispose"]) {
        await using cursor = await openCursor(vhost, "q", recipe, { ...HELD, ...SMALL_WINDOWS });
        await readAll(cursor);
        if (end === "settle") await cursor.settle("requeue");
      }
      await untilReady(vhost, "q", 1000);
      expect(sameBodies(await drain(vhost, "q"), filled)).toBeUndefined();
    });

    test("a hold that went on for too long removes nothing and says so", async () => {
      await using vhost = await freshVhost(broker);
      const filled = await filledQueue(vhost, 500);
      {
        await using cursor = await openCursor(vhost, "q", recipe, { ...HELD, maxHoldMs: 1500 });
        expect(await readAll(cursor)).toHaveLength(500);
        await until("given back", () => cursor.releasedAt !== null);
        await expectNotRemoved(cursor);
      }
      await untilReady(vhost, "q", 500);
      expect(sameBodies(await drain(vhost, "q"), filled)).toBeUndefined();
    });

    test("a hold that was cut off removes nothing and says so", async () => {
      await using vhost = await freshVhost(broker);
      const filled = await filledQueue(vhost, 500);
      await using proxy = await startProxy({ host: broker.host, port: broker.amqpPort });
      const url = `amqp://guest:guest@127.0.0.1:${proxy.port}`;
      {
        await using cursor = await openCursor(vhost, "q", recipe, { ...HELD, url });
        expect(await readAll(cursor)).toHaveLength(500);
        proxy.cut();
        await until("noticed", () => cursor.releasedAt !== null);
        await expectNotRemoved(cursor);
      }
      await untilReady(vhost, "q", 500);
      expect(sameBodies(await drain(vhost, "q"), filled)).toBeUndefined();
    });

    test("a queue deleted meanwhile: nothing was removed by us, and that is said", async () => {
      await using vhost = await freshVhost(broker);
      await filledQueue(vhost, 100);
      await using cursor = await openCursor(vhost, "q", recipe, HELD);
      expect(await readAll(cursor)).toHaveLength(100);
      await deleteQueue(vhost, "q");
      await until("noticed", () => cursor.releasedAt !== null);
      await expectNotRemoved(cursor);
    });

    test("another consumer gets what is published meanwhile, and nothing that was read", async () => {
      await using vhost = await freshVhost(broker);
      await filledQueue(vhost, 300);
      await using lane = await openChannel(vhost.url);
      const got: string[] = [];
      {
        await using cursor = await openCursor(vhost, "q", recipe, HELD);
        await readAll(cursor);
        await lane.channel.consume(
          "q",
          (message) => message && got.push(String(message.properties.messageId)),
          {
            noAck: true,
          },
        );
        await fill(vhost, "q", 3, { from: 300 });
        await until("the new ones arrive", () => got.length === 3);
        await cursor.settle("consume");
      }
      await fill(vhost, "q", 1, { from: 303 });
      await until("the last one arrives", () => got.length === 4);
      expect(got).toEqual(["lab-300", "lab-301", "lab-302", "lab-303"]);
    });
  });
});

async function expectNotRemoved(cursor: QueueCursor): Promise<void> {
  await expect(cursor.settle("consume")).rejects.toMatchObject({
    code: "BROKER_LOST",
    message: expect.stringMatching(/went back to the queue before it could be removed/),
  });
}

function sameBodies(
  actual: readonly (ReadMessage | Drained)[],
  expected: readonly { readonly body: Buffer }[],
): string | undefined {
  return firstDifference(
    actual.map(({ body }) => ({ body })),
    expected.map(({ body }) => ({ body })),
  );
}
