import { describe, expect, test } from "vitest";
import { openChannel } from "../lab/channel.ts";
import { drain } from "../lab/drain.ts";
import { expectAll } from "../lab/expect-queue.ts";
import { setPolicy } from "../lab/management.ts";
import { startProxy } from "../lab/proxy.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue, deleteQueue, readyCount } from "../lab/queues.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";

const MESSAGES = 100;

describe("a restore into a queue", () => {
  test("that holds messages is refused; --append goes behind them, --map beside them", async () => {
    await using scene = await newScene(newestBroker());
    const { id, messages } = await backedUp(scene);
    expectFailure(await scene.run(["restore", "--id", id]), {
      status: 30,
      error: /queue q in .* holds 100 messages/,
      hint: /--append.*--map/,
    });
    expect(await readyCount(scene.vhost, "q")).toBe(MESSAGES);
    const map = ["restore", "--id", id, "--map", "q=q.restored"];
    expect(await scene.run(map)).toMatchObject({ status: 0 });
    expect(await scene.run(["restore", "--id", id, "--append"])).toMatchObject({ status: 0 });
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q.restored", messages);
    await expectAll(scene.vhost, "q", [...messages, ...messages]);
  });

  test("one refusal of several forbids the whole", async () => {
    await using scene = await newScene(newestBroker());
    const { messages } = await backedUp(scene);
    await declareQueue(scene.vhost, "gone", "classic");
    await fill(scene.vhost, "gone", MESSAGES);
    const id = await scene.backup();
    await deleteQueue(scene.vhost, "gone");
    const result = await scene.run(["restore", "--id", id]);
    expectFailure(result, { status: 30, error: /queue q in .* holds 100 messages/, hint: /--append/ });
    await expect(readyCount(scene.vhost, "gone")).rejects.toThrow(/404/);
    await expectAll(scene.vhost, "q", messages);
  });

  test("of another type is refused, until that is accepted", async () => {
    await using scene = await newScene(newestBroker());
    const { id, messages } = await backedUp(scene);
    await declareQueue(scene.vhost, "other", "quorum");
    const args = ["restore", "--id", id, "--map", "q=other"];
    expectFailure(await scene.run(args), {
      status: 30,
      error: /queue other in .* is of type quorum, in the backup it is classic/,
      hint: /--accept type-change/,
    });
    expect(await readyCount(scene.vhost, "other")).toBe(0);
    expect(await scene.run([...args, "--accept", "type-change"])).toMatchObject({ status: 0 });
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "other", messages);
  });

  test.each([
    { by: "argument", args: { "x-max-length": 10 }, policy: null },
    { by: "argument in bytes", args: { "x-max-length-bytes": 5000 }, policy: null },
    { by: "policy", args: {}, policy: { "max-length": 10 } },
    { by: "refusing publishers", args: { "x-max-length": 10, "x-overflow": "reject-publish" }, policy: null },
  ])("with a smaller max-length ($by) is refused, until that is accepted", async ({ args, policy }) => {
    await using scene = await newScene(newestBroker());
    const { id } = await backedUp(scene);
    await declareQueue(scene.vhost, "short", "classic", args);
    if (policy)
      await setPolicy(scene.broker, scene.vhost.name, "short", { pattern: "^short$", definition: policy });
    const restore = ["restore", "--id", id, "--map", "q=short"];
    expectFailure(await scene.run(restore), {
      status: 30,
      error: /queue short in .* takes (10 messages|5000 bytes) and would get (100|20000)/,
      hint: /--accept overflow/,
    });
    expect(await readyCount(scene.vhost, "short")).toBe(0);
    const accepted = await scene.run([...restore, "--accept", "overflow"]);
    // What the limit dropped again, or refused, is said.
    expect([1, 3]).toContain(accepted.status);
    expect(accepted.stdout).toMatch(/^(missing from|failed) short/m);
    await scene.expectNothingLeft();
    expect((await drain(scene.vhost, "short")).length).toBeLessThanOrEqual(25);
  });

  test("that does not exist: --definitions none refuses, missing declares it as it was", async () => {
    await using scene = await newScene(newestBroker());
    await declareQueue(scene.vhost, "q", "quorum", { "x-max-length": 5000, "x-delivery-limit": 7 });
    const messages = await fill(scene.vhost, "q", MESSAGES);
    const id = await scene.backup("--keep-deliveries", "2");
    await deleteQueue(scene.vhost, "q");
    const restore = ["restore", "--id", id];
    expectFailure(await scene.run([...restore, "--definitions", "none"]), {
      status: 30,
      error: /queue q in .* does not exist/,
      hint: /--definitions missing/,
    });
    const plan = await scene.run([...restore, "--dry-run"]);
    expect(plan).toMatchObject({ status: 0 });
    expect(plan.stdout).toMatch(/to be declared/);
    await expect(readyCount(scene.vhost, "q")).rejects.toThrow(/404/);
    expect(await scene.run(restore)).toMatchObject({ status: 0 });
    // Not equivalent arguments would be refused here.
    await declareQueue(scene.vhost, "q", "quorum", { "x-max-length": 5000, "x-delivery-limit": 7 });
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q", messages);
  });

  test("named, but not in the backup", async () => {
    await using scene = await newScene(newestBroker());
    const { id, messages } = await backedUp(scene);
    for (const [queue, error] of [
      ["nothing", /holds no queue nothing/],
      ["n*", /no queue .* is selected/],
    ] as const) {
      expectFailure(await scene.run(["restore", "--id", id, "--queue", queue]), {
        status: 1,
        error,
        hint: /./,
      });
    }
    await expectAll(scene.vhost, "q", messages);
  });

  test("deleted while it is being restored", async () => {
    await using scene = await newScene(newestBroker());
    await declareQueue(scene.vhost, "q", "classic");
    await fill(scene.vhost, "q", 12_000);
    const id = await scene.backup();
    await deleteQueue(scene.vhost, "q");
    await using proxy = await startProxy({ host: scene.broker.host, port: scene.broker.amqpPort });
    const inTheMiddle = proxy.pauseAfter(200_000, "server");
    const env = { MQBACKUP_URL: scene.url(proxy.port) };
    await using running = await scene.start(["restore", "--id", id, "--json"], { env });
    await inTheMiddle;
    await using lane = await openChannel(scene.vhost.url);
    await lane.channel.deleteQueue("q");
    proxy.resume();
    const result = await running.result;
    expect(result).toMatchObject({ status: 1 });
    expect(JSON.parse(result.stdout)).toMatchObject({
      status: 1,
      queues: [{ outcome: "failed", failure: { message: expect.stringContaining("q") as string } }],
    });
    expect(result.stderr).toMatch(/"hint":"[^"]+"/);
    await scene.expectNothingLeft();
  });
});

async function backedUp(scene: Scene) {
  await declareQueue(scene.vhost, "q", "classic");
  const messages = await fill(scene.vhost, "q", MESSAGES);
  return { messages, id: await scene.backup() };
}
