import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { killNode, settle, startNode } from "../lab/broker-control.ts";
import { startBroker, type OwnBroker } from "../lab/brokers.ts";
import { expectAll } from "../lab/expect-queue.ts";
import { startProxy, type Proxy } from "../lab/proxy.ts";
import { fill, type FillOptions } from "../lab/publish.ts";
import { declareQueue, deleteQueue, type QueueType } from "../lab/queues.ts";
import { expectClean, expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";

describe("a broker that is killed", () => {
  let broker: OwnBroker;
  beforeAll(async () => void (broker = await startBroker({ version: "4.3" })));
  afterAll(() => broker[Symbol.asyncDispose]());

  test.each(["classic", "quorum"] as const)(
    "while a %s queue is read: what was read is kept, and the rest a gap",
    async (type) => {
      await using scene = await newScene(broker);
      const messages = await filled(scene, type, 2000);
      await settle(broker);
      await using slow = await slowly(scene);
      await using running = await scene.start(["full", "--json"], { env: slow.env });
      await slow.inTheMiddle;
      await killNode(broker);
      slow.proxy.cut();
      const result = await running.result;
      await startNode(broker);
      expectClean(result, scene.secret);
      expect(result).toMatchObject({ status: 3 });
      const [backup] = (JSON.parse(result.stdout) as { backups: { queues: object[] }[] }).backups;
      expect(backup?.queues).toMatchObject([
        {
          name: "q",
          outcome: "partial",
          gaps: [{ message: expect.stringMatching(/cut off|lost/) as string }],
        },
      ]);
      expect(await scene.run(["verify", "--records"])).toMatchObject({ status: 0 });
      await scene.expectNothingLeft();
      await expectAll(scene.vhost, "q", messages);
    },
  );

  test("while a queue is drained: nothing is committed or nothing is lost", async () => {
    await using scene = await newScene(broker);
    const messages = await filled(scene, "quorum", 2000);
    await settle(broker);
    await using slow = await slowly(scene);
    await using running = await scene.start(["full", "--drain", "--json"], { env: slow.env });
    await slow.inTheMiddle;
    await killNode(broker);
    slow.proxy.cut();
    const result = await running.result;
    await startNode(broker);
    expectClean(result, scene.secret);
    expect([3, 4]).toContain(result.status);
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q", messages);
  });

  test("while restoring: it says how far it came, and --resume ends it", async () => {
    await using scene = await newScene(broker);
    const messages = await filled(scene, "quorum", 12_000);
    const id = await scene.backup();
    await deleteQueue(scene.vhost, "q");
    await declareQueue(scene.vhost, "q", "quorum");
    await settle(broker);
    await using proxy = await startProxy({ host: broker.host, port: broker.amqpPort });
    const inTheMiddle = proxy.pauseAfter(200_000, "server");
    const env = { MQBACKUP_URL: scene.url(proxy.port) };
    const restore = ["restore", "--id", id, "--state-dir", `${scene.target}/.state`];
    await using running = await scene.start([...restore, "--json"], { env });
    await inTheMiddle;
    await killNode(broker);
    proxy.resume();
    proxy.cut();
    const result = await running.result;
    await startNode(broker);
    expectClean(result, scene.secret);
    expect(result).toMatchObject({ status: 4 });
    expect(JSON.parse(result.stdout)).toMatchObject({
      queues: [{ outcome: "failed", failure: { code: "BROKER_LOST" } }],
    });
    const [error] = result.stderr.trimEnd().split("\n").slice(-1);
    expect(JSON.parse(error ?? "")).toMatchObject({
      error: { code: "BROKER_LOST", hint: expect.stringContaining("--resume") as string },
    });
    const resumed = await scene.run([...restore, "--resume", "--read-back"], { env });
    expect(resumed).toMatchObject({ stderr: expect.not.stringContaining("mqbackup:") as string, status: 0 });
    await expectAll(scene.vhost, "q", messages);
  });
});

describe("a queue that is deleted while it is read", () => {
  test("in the middle: what was read is kept, and the rest a gap", async () => {
    await using scene = await newScene(newestBroker());
    // More than broker, sockets and proxy hold together: what they hold arrives, deleted or not.
    await filled(scene, "classic", 1000, { bodyBytes: 65_536 });
    await using slow = await slowly(scene);
    await using running = await scene.start(["full", "--json"], { env: slow.env });
    await slow.inTheMiddle;
    await deleteQueue(scene.vhost, "q");
    slow.proxy.resume();
    const result = await running.result;
    expectClean(result, scene.secret);
    expect(result).toMatchObject({ status: 3 });
    const gaps = [{ message: expect.stringContaining("deleted") as string }];
    expect(JSON.parse(result.stdout)).toMatchObject({
      backups: [{ queues: [{ outcome: "partial", readyAtCut: 1000, gaps }] }],
    });
    expect(await scene.run(["verify", "--records"])).toMatchObject({ status: 0 });
    await scene.expectNothingLeft();
  });

  test("before it is its turn: it is skipped, the others are kept", async () => {
    await using scene = await newScene(newestBroker());
    const messages = await filled(scene, "classic", 300);
    await declareQueue(scene.vhost, "z", "classic");
    await fill(scene.vhost, "z", 10);
    await using running = await scene.start(["full", "--parallel", "1", "--rate", "50", "--json"]);
    await running.output(/"queue-progress"/);
    await deleteQueue(scene.vhost, "z");
    const result = await running.result;
    expectClean(result, scene.secret);
    expect(result).toMatchObject({ status: 3 });
    expect(JSON.parse(result.stdout)).toMatchObject({
      backups: [
        {
          queues: [
            { name: "q", outcome: "complete", messages: 300 },
            {
              name: "z",
              outcome: "skipped",
              skipped: { code: "QUEUE_MISSING", hint: expect.any(String) as string },
            },
          ],
        },
      ],
    });
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q", messages);
  });
});

test("a broker that stops answering between survey and reading", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene, "classic", 100);
  await using proxy = await startProxy({ host: scene.broker.host, port: scene.broker.amqpPort });
  proxy.refuse();
  expectFailure(await scene.run(["full"], { env: { MQBACKUP_URL: scene.url(proxy.port) } }), {
    status: 4,
    error: new RegExp(`:${proxy.port}.*(cut|reset|closed|lost)`),
    hint: /broker/,
  });
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

async function filled(scene: Scene, type: QueueType, count: number, options: FillOptions = {}) {
  await declareQueue(scene.vhost, "q", type);
  return fill(scene.vhost, "q", count, options);
}

interface Slow extends AsyncDisposable {
  readonly proxy: Proxy;
  readonly env: Readonly<Record<string, string>>;
  /** Resolves when a part of the messages has arrived, and nothing more does. */
  readonly inTheMiddle: Promise<void>;
}

async function slowly(scene: Scene): Promise<Slow> {
  const proxy = await startProxy({ host: scene.broker.host, port: scene.broker.amqpPort });
  return {
    proxy,
    env: { MQBACKUP_URL: scene.url(proxy.port) },
    inTheMiddle: proxy.pauseAfter(100_000),
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}
