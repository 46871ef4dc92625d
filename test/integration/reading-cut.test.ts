import { createServer } from "node:net";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BackupError } from "../../src/domain/errors.ts";
import { buildSources, type BuiltSources } from "../contract/built.ts";
import { drain } from "../lab/drain.ts";
import { startProxy } from "../lab/proxy.ts";
import { fill, numberOf } from "../lab/publish.ts";
import { declareQueue, untilReady } from "../lab/queues.ts";
import { labReader, openCursor, readAll, READ_OPTIONS, readQueue } from "../lab/read.ts";
import { startReader } from "../lab/reader-process.ts";
import { argumentsFor, plainRecipe } from "../lab/recipes.ts";
import { newestBroker, sharedBrokers } from "../lab/shared-brokers.ts";
import { until } from "../lab/until.ts";
import { freshVhost } from "../lab/vhost.ts";

let built: BuiltSources;
beforeAll(async () => {
  built = await buildSources();
});
afterAll(() => built[Symbol.asyncDispose]());

/** Bodies said to be so large make windows of quorum queues 100 messages. */
const SMALL_WINDOWS = { averageBodyBytes: 640 * 1024 };

describe.concurrent.each(sharedBrokers())("a reading cut off on $version", (broker) => {
  describe.each(["classic", "quorum"] as const)("of a %s queue", (type) => {
    const recipe = plainRecipe(broker, type);

    test("by SIGKILL: nothing is lost, and the order of a queue never read before is kept", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      await fill(vhost, "q", 2000, { bodyBytes: 60 });
      const reader = built.url("adapters/amqp/queue-reader.ts");
      {
        await using running = await startReader(reader, vhost, "q", recipe, 500);
        await running.kill();
      }
      await untilReady(vhost, "q", 2000);
      expect((await drain(vhost, "q")).map(numberOf)).toEqual(upTo(2000));
    });

    test("by SIGKILL, of a queue read before: nothing is lost; a quorum queue goes on behind what was held", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      await fill(vhost, "q", 2000, { bodyBytes: 60 });
      await readQueue(vhost, "q", recipe, SMALL_WINDOWS);
      const reader = built.url("adapters/amqp/queue-reader.ts");
      {
        await using running = await startReader(reader, vhost, "q", recipe, 500);
        await running.kill();
      }
      await untilReady(vhost, "q", 2000);
      const left = (await drain(vhost, "q")).map(numberOf);
      const first = left[0] ?? 0;
      expect(left).toEqual([...upTo(2000).slice(first), ...upTo(first)]);
      expect(type === "quorum" || first === 0).toBe(true);
    });

    test("in the middle of a frame: what is missing is a gap, and the queue is as it was", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      await fill(vhost, "q", 2000);
      await using proxy = await startProxy({ host: broker.host, port: broker.amqpPort });
      proxy.cutAfter(150_001);
      const url = `amqp://guest:guest@127.0.0.1:${proxy.port}`;
      const reading = await readQueue(vhost, "q", recipe, { ...SMALL_WINDOWS, url });
      expect(reading.gaps).toMatchObject([{ code: "BROKER_LOST", messages: 2000 - reading.messages.length }]);
      expect(reading.messages.map(numberOf)).toEqual(upTo(reading.messages.length));
      await untilReady(vhost, "q", 2000);
      expect((await drain(vhost, "q")).map(numberOf)).toEqual(upTo(2000));
    });

    test.each(["requeue", "consume"] as const)(
      "while it ends by %s: nothing is lost, nothing hangs",
      async (end) => {
        await using vhost = await freshVhost(broker);
        await declareQueue(vhost, "q", type, argumentsFor(broker, type));
        await fill(vhost, "q", 300, { bodyBytes: 60 });
        await using proxy = await startProxy({ host: broker.host, port: broker.amqpPort });
        const url = `amqp://guest:guest@127.0.0.1:${proxy.port}`;
        {
          await using cursor = await openCursor(vhost, "q", recipe, { hold: "until-settled", url });
          expect(await readAll(cursor)).toHaveLength(300);
          proxy.pause();
          const settled = cursor.settle(end).then(() => "settled", codeOf);
          await delay(200);
          proxy.cut();
          // Removing was asked for, and nobody heard whether it was done.
          expect(await settled).toBe(end === "requeue" ? "settled" : "BROKER_LOST");
        }
        await untilReady(vhost, "q", 300);
        expect((await drain(vhost, "q")).map(numberOf)).toEqual(upTo(300));
      },
    );

    test("by a network that goes silent: noticed by heartbeats, and the queue is as it was", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      await fill(vhost, "q", 1000, { bodyBytes: 60 });
      await using proxy = await startProxy({ host: broker.host, port: broker.amqpPort });
      const url = `amqp://guest:guest@127.0.0.1:${proxy.port}`;
      {
        const options = { ...SMALL_WINDOWS, hold: "until-settled", url, heartbeatSeconds: 1 } as const;
        await using cursor = await openCursor(vhost, "q", recipe, options);
        proxy.pause();
        const messages = await readAll(cursor);
        await until("noticed", () => cursor.releasedAt !== null);
        expect(messages.map(numberOf)).toEqual(upTo(messages.length));
        const missing = cursor.gaps.reduce((sum, gap) => sum + (gap.messages ?? 0), 0);
        expect(messages.length + missing).toBe(1000);
        proxy.cut();
      }
      await untilReady(vhost, "q", 1000);
      expect((await drain(vhost, "q")).map(numberOf)).toEqual(upTo(1000));
    });

    test("by an abort at any moment: the queue is as it was, and no delivery is charged where none need be", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      await fill(vhost, "q", 1000, { bodyBytes: 60 });
      const reason = new Error("enough");
      let aborted = 0;
      for (let afterMs = 0; afterMs < 240; afterMs += 20) {
        const abort = new AbortController();
        const timer = setTimeout(() => abort.abort(reason), afterMs);
        const reading = readQueue(vhost, "q", recipe, { ...SMALL_WINDOWS, signal: abort.signal });
        await reading.catch((error: unknown) => {
          if (error !== reason) throw error;
          aborted++;
        });
        clearTimeout(timer);
        await untilReady(vhost, "q", 1000);
      }
      expect(aborted).toBeGreaterThan(1);
      const left = await drain(vhost, "q");
      expect(left.map(numberOf)).toEqual(upTo(1000));
      const charged = left.filter(({ rawProperties }) => rawProperties.includes("x-delivery-count"));
      expect(broker.version === "4.3" ? charged : []).toEqual([]);
    });

    test("by an abort in the middle of reading: the iteration rejects with its reason, the rest goes back in order", async () => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "q", type, argumentsFor(broker, type));
      await fill(vhost, "q", 1000, { bodyBytes: 60 });
      await readQueue(vhost, "q", recipe, SMALL_WINDOWS);
      const abort = new AbortController();
      const reading = readQueue(vhost, "q", recipe, {
        ...SMALL_WINDOWS,
        signal: abort.signal,
        during: () => abort.abort(new Error("enough")),
      });
      await expect(reading).rejects.toThrow("enough");
      await untilReady(vhost, "q", 1000);
      expect((await drain(vhost, "q")).map(numberOf)).toEqual(upTo(1000));
    });
  });
});

describe.concurrent("an abort", () => {
  const broker = newestBroker();

  test("while connecting to a host that says nothing ends at once", async () => {
    const server = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const abort = new AbortController();
    const describing = labReader(broker, `amqp://guest:guest@127.0.0.1:${port}`).describe("/", {
      signal: abort.signal,
    });
    setTimeout(() => abort.abort(new Error("enough")), 100);
    await expect(describing).rejects.toThrow("enough");
    server.close();
  });

  test("while another reader has the lock ends with the abort's reason", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await using other = await openCursor(vhost, "q", plainRecipe(broker, "classic"));
    expect(other.unprotected).toBe(false);
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error("enough")), 100);
    const opening = openCursor(vhost, "q", plainRecipe(broker, "classic"), { signal: abort.signal });
    await expect(opening).rejects.toThrow("enough");
  });

  test("while the broker is silent ends in seconds, and frees the lock", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await fill(vhost, "q", 10);
    await using proxy = await startProxy({ host: broker.host, port: broker.amqpPort });
    const abort = new AbortController();
    const reader = labReader(broker, `amqp://guest:guest@127.0.0.1:${proxy.port}`);
    await reader.describe(vhost.name);
    // The handshake comes to an end, as this one did, and what is asked then is not answered.
    const handshake = proxy.bytesToClient() - CLOSE_OK_BYTES;
    const before = proxy.bytesToClient();
    proxy.delay(100);
    const opening = reader.open({ vhost: vhost.name, name: "q" }, plainRecipe(broker, "classic"), {
      ...READ_OPTIONS,
      signal: abort.signal,
    });
    opening.catch(() => undefined);
    await until("connected", () => proxy.bytesToClient() - before >= handshake);
    await delay(120);
    proxy.pause();
    abort.abort(new Error("enough"));
    await expect(opening).rejects.toThrow("enough");
    proxy.cut();
    const again = await readQueue(vhost, "q", plainRecipe(broker, "classic"));
    expect(again.messages).toHaveLength(10);
  });

  test("before it began", async () => {
    const abort = AbortSignal.abort(new Error("enough"));
    await using vhost = await freshVhost(broker);
    await expect(openCursor(vhost, "q", plainRecipe(broker, "classic"), { signal: abort })).rejects.toThrow(
      "enough",
    );
  });

  test("does not keep a drain from giving back", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum", argumentsFor(broker, "quorum"));
    await fill(vhost, "q", 100);
    const abort = new AbortController();
    {
      await using cursor = await openCursor(vhost, "q", plainRecipe(broker, "quorum"), {
        hold: "until-settled",
        signal: abort.signal,
      });
      await readAll(cursor);
      abort.abort(new Error("enough"));
    }
    expect((await drain(vhost, "q")).map(numberOf)).toEqual(upTo(100));
  });
});

function codeOf(error: unknown): string {
  return error instanceof BackupError ? error.code : String(error);
}

/** A method frame without arguments. */
const CLOSE_OK_BYTES = 12;

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
