import { describe, expect, test } from "vitest";
import { drainStream } from "../lab/drain.ts";
import { startProxy } from "../lab/proxy.ts";
import { fill, numberOf } from "../lab/publish.ts";
import { declareQueue } from "../lab/queues.ts";
import { openCursor, readAll, readQueue } from "../lab/read.ts";
import { brokersOf, plainRecipe } from "../lab/recipes.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { publishByStreamProtocol } from "../lab/stream-protocol.ts";
import { freshVhost } from "../lab/vhost.ts";

describe.concurrent.each(sharedBrokers())("a stream on $version", (broker) => {
  const recipe = plainRecipe(broker, "stream");

  test("is read twice, whole and in order, and keeps all", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "stream");
    await fill(vhost, "q", 20_000, { bodyBytes: 100 });
    for (let i = 0; i < 2; i++) {
      const reading = await readQueue(vhost, "q", recipe);
      expect(reading).toMatchObject({ gaps: [], notes: [], readyAtCut: null });
      expect(reading.messages.map(numberOf)).toEqual(upTo(20_000));
    }
    expect(await drainStream(vhost, "q")).toHaveLength(20_000);
  });

  test("is read from an offset on", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "stream");
    await fill(vhost, "q", 1000, { bodyBytes: 60 });
    const reading = await readQueue(vhost, "q", { kind: "stream", from: 700 });
    expect(reading.gaps).toEqual([]);
    expect(reading.messages.map(numberOf)).toEqual(upTo(1000).slice(700));
    const behind = await readQueue(vhost, "q", { kind: "stream", from: 1000 });
    expect(behind).toMatchObject({ gaps: [], messages: [] });
  });

  test("is read up to where it was, while it is written to", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "stream");
    await fill(vhost, "q", 2000, { bodyBytes: 60 });
    const stop = new AbortController();
    const writer = (async () => {
      for (let n = 2000; !stop.signal.aborted; n += 100)
        await fill(vhost, "q", 100, { from: n, bodyBytes: 60 });
    })();
    const reading = await readQueue(vhost, "q", recipe).finally(() => stop.abort());
    await writer;
    expect(reading.gaps).toEqual([]);
    expect(reading.messages.length).toBeGreaterThanOrEqual(2000);
    expect(reading.messages.map(numberOf)).toEqual(upTo(reading.messages.length));
  });

  test("without messages is empty", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "stream");
    expect(await readQueue(vhost, "q", recipe)).toMatchObject({ gaps: [], messages: [] });
  });

  test("cut off in the middle: what was read is in order, and the gap is said", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "stream");
    await fill(vhost, "q", 5000, { bodyBytes: 1000 });
    await using proxy = await startProxy({ host: broker.host, port: broker.amqpPort });
    await using cursor = await openCursor(vhost, "q", recipe, {
      url: `amqp://guest:guest@127.0.0.1:${proxy.port}`,
    });
    const messages = await readAll(cursor, () => proxy.cut());
    expect(cursor.gaps).toMatchObject([{ code: "BROKER_LOST" }]);
    expect(messages.map(numberOf)).toEqual(upTo(messages.length));
  });
});

const TWENTY = upTo(20).map((n) => `batched ${n}`);

describe.concurrent.each(brokersOf("4.0", "4.3"))(
  "compressed batches of stream clients, on $version",
  (broker) => {
    const recipe = plainRecipe(broker, "stream");

    test.runIf(broker.containerId)("are a gap of as many messages", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", "stream");
      await publishByStreamProtocol(vhost, "q", ["first", TWENTY, "last"]);
      const reading = await readQueue(vhost, "q", recipe);
      expect(reading.messages.map(({ body }) => body.toString())).toEqual(["first", "last"]);
      expect(reading.gaps).toMatchObject([{ code: "NOT_DELIVERED", messages: 20 }]);
    });

    test.runIf(broker.containerId)("at the end are a gap too, of a size nobody knows", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", "stream");
      await fill(vhost, "q", 10);
      await publishByStreamProtocol(vhost, "q", [TWENTY]);
      const reading = await readQueue(vhost, "q", recipe);
      expect(reading.messages.map(numberOf)).toEqual(upTo(10));
      expect(reading.gaps).toMatchObject([{ code: "NOT_DELIVERED", messages: null }]);
    });
  },
);

describe.concurrent.each(brokersOf("3.10"))("compressed batches of stream clients, on $version", (broker) => {
  test.runIf(broker.containerId)("end the reading, with their name", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "stream");
    await publishByStreamProtocol(vhost, "q", ["first", TWENTY, "last"]);
    const reading = await readQueue(vhost, "q", plainRecipe(broker, "stream"));
    expect(reading.gaps).toMatchObject([
      { code: "UNDELIVERABLE", message: expect.stringMatching(/compressed batches/) },
    ]);
  });
});

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
