import { describe, expect, test } from "vitest";
import { faultHook } from "../lab/fault-hook.ts";
import { expectAll } from "../lab/expect-queue.ts";
import { startProxy, type Proxy } from "../lab/proxy.ts";
import { fill, type LabMessage } from "../lab/publish.ts";
import { declareQueue, deleteQueue } from "../lab/queues.ts";
import type { CliResult } from "../lab/cli.ts";
import { expectClean, expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { until } from "../lab/until.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
const PROGRESS = /^q: /;

describe.each(SIGNALS)("%s", (signal) => {
  test("while connecting, with a broker that does not answer", async () => {
    await using scene = await newScene(newestBroker());
    const messages = await filled(scene);
    await using proxy = await proxyOf(scene);
    proxy.pause();
    const args = ["full", "--management-url", "none", "--queue", "q", "--queue-type", "classic"];
    await using running = await scene.start(args, { env: { MQBACKUP_URL: scene.url(proxy.port) } });
    await until("a connection", () => proxy.connections() > 0);
    running.kill(signal);
    expectInterrupted(scene, await running.result, signal);
    await expectUntouched(scene, messages);
  });

  test("while surveying, with a management API that does not answer", async () => {
    await using scene = await newScene(newestBroker());
    const messages = await filled(scene);
    await using proxy = await startProxy({
      host: "127.0.0.1",
      port: Number(new URL(scene.broker.managementUrl).port),
    });
    proxy.pause();
    const env = { MQBACKUP_MANAGEMENT_URL: `http://127.0.0.1:${proxy.port}` };
    await using running = await scene.start(["full"], { env });
    await until("a connection", () => proxy.connections() > 0);
    running.kill(signal);
    expectInterrupted(scene, await running.result, signal);
    await expectUntouched(scene, messages);
  });

  test.each(["classic", "quorum"] as const)("while reading a %s queue", async (type) => {
    await using scene = await newScene(newestBroker());
    const messages = await filled(scene, type);
    await using proxy = await proxyOf(scene);
    const inTheMiddle = proxy.pauseAfter(100_000);
    await using running = await scene.start(["full"], { env: { MQBACKUP_URL: scene.url(proxy.port) } });
    await inTheMiddle;
    running.kill(signal);
    proxy.resume();
    expectInterrupted(scene, await running.result, signal);
    await expectUntouched(scene, messages);
  });

  test("while a volume is put to the target", async () => {
    await using scene = await newScene(newestBroker());
    const messages = await filled(scene);
    await using hook = await faultHook(/data-00001\.tar\.zst$/);
    await using running = await scene.start(["full"], { env: hook.env });
    await hook.held();
    running.kill(signal);
    expectInterrupted(scene, await running.result, signal);
    await expectUntouched(scene, messages);
  });

  test("while the manifest is put: it is committed, or it is not", async () => {
    await using scene = await newScene(newestBroker());
    const messages = await filled(scene);
    await using hook = await faultHook(/manifest\.json$/);
    await using running = await scene.start(["full"], { env: hook.env });
    await hook.held();
    running.kill(signal);
    const result = await running.result;
    expectClean(result, scene.secret);
    const committed = await scene.committed();
    expect({ status: result.status, committed: committed.length }).toEqual(
      result.status === 0 ? { status: 0, committed: 1 } : { status: 130, committed: 0 },
    );
    expect(await scene.run(["verify", "--records"])).toMatchObject({ status: 0 });
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q", messages);
  });

  test("while restoring: what is there is the beginning, and --resume goes on", async () => {
    await using scene = await newScene(newestBroker());
    const messages = await filled(scene, "classic", 12_000);
    const id = await scene.backup();
    await deleteQueue(scene.vhost, "q");
    await using proxy = await proxyOf(scene);
    const inTheMiddle = proxy.pauseAfter(200_000, "server");
    const state = ["--state-dir", `${scene.target}/state`];
    const env = { MQBACKUP_URL: scene.url(proxy.port) };
    await using running = await scene.start(["restore", "--id", id, "--json", ...state], { env });
    await inTheMiddle;
    running.kill(signal);
    proxy.resume();
    const result = await running.result;
    expectClean(result, scene.secret);
    expect(result).toMatchObject({ status: 130 });
    expect(JSON.parse(result.stdout)).toMatchObject({
      status: 130,
      queues: [{ outcome: "interrupted" }],
      failure: { code: "INTERRUPTED", hint: expect.stringContaining("--resume") as string },
    });
    expect(await scene.own()).toEqual([]);
    const resume = ["restore", "--id", id, "--resume", ...state];
    // What was noted is of the broker at one address.
    expectFailure(await scene.run(resume), { status: 30, error: /holds \d+ messages/, hint: /same --url/ });
    expect(await scene.run(resume, { env })).toMatchObject({ status: 0 });
    await expectAll(scene.vhost, "q", messages);
  });

  test("while verifying", async () => {
    await using scene = await newScene(newestBroker());
    await filled(scene);
    const id = await scene.backup();
    await using hook = await faultHook(/data-00001\.tar\.zst$/);
    await using running = await scene.start(["verify"], { env: hook.env });
    await hook.held();
    running.kill(signal);
    expectInterrupted(scene, await running.result, signal);
    expect(await scene.committed()).toEqual([id]);
  });
});

test("the network has gone silent: it ends all the same, and the broker takes everything back", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene);
  await using proxy = await proxyOf(scene);
  const env = { MQBACKUP_URL: scene.url(proxy.port) };
  await using running = await scene.start(["full", "--rate", "20", "--json"], { env });
  await running.output(/"queue-progress"/);
  proxy.pause();
  running.kill("SIGINT");
  expect(await running.result).toMatchObject({ status: 130, leftovers: [] });
  proxy.cut();
  await expectUntouched(scene, messages);
});

test("a second signal ends it at once, and the broker takes everything back", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene, "quorum");
  await using proxy = await proxyOf(scene);
  const env = { MQBACKUP_URL: scene.url(proxy.port) };
  await using running = await scene.start(["full", "--rate", "20", "--json"], { env });
  await running.output(/"queue-progress"/);
  proxy.pause();
  running.kill("SIGINT");
  running.kill("SIGTERM");
  const result = await running.result;
  expect(result).toMatchObject({ status: 130, stdout: "" });
  proxy.cut();
  await until("the lock is gone", async () => (await scene.own()).length === 0);
  expect(await scene.committed()).toEqual([]);
  await expectAll(scene.vhost, "q", messages);
  // What it left in its haste is cleared away by the next run.
  await fill(scene.vhost, "q", 10);
  expect(await scene.run(["full"])).toMatchObject({ status: 0 });
  expect((await scene.halfDone()).filter((file) => !file.endsWith("/begun.json"))).toEqual([]);
});

function expectInterrupted(scene: Scene, result: CliResult, signal: string): void {
  expectClean(result, scene.secret);
  expectFailure(result, {
    status: 130,
    error: new RegExp(`interrupted by ${signal}`),
    hint: /again/,
    before: PROGRESS,
  });
}

async function expectUntouched(scene: Scene, messages: readonly LabMessage[]): Promise<void> {
  await until("all of mqbackup's own is gone", async () => (await scene.own()).length === 0);
  expect(await scene.committed()).toEqual([]);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
}

function proxyOf(scene: Scene): Promise<Proxy> {
  return startProxy({ host: scene.broker.host, port: scene.broker.amqpPort });
}

async function filled(
  scene: Scene,
  type: "classic" | "quorum" = "classic",
  count = 1000,
): Promise<LabMessage[]> {
  await declareQueue(scene.vhost, "q", type);
  return fill(scene.vhost, "q", count);
}
