import { describe, expect, test } from "vitest";
import { startProxy } from "../lab/proxy.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue } from "../lab/queues.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker, sharedBrokers } from "../lab/shared-brokers.ts";
import { expectAll } from "../lab/expect-queue.ts";

const WITHOUT_MANAGEMENT = ["--management-url", "none", "--queue", "q", "--queue-type", "classic"];

describe.each(sharedBrokers())("$version", (broker) => {
  test("a wrong password is refused by either door", async () => {
    await using scene = await newScene(broker);
    const messages = await filled(scene);
    const id = await scene.backup();
    const env = { MQBACKUP_URL: scene.url().replace("%40", "%40wrong") };
    for (const args of [
      ["full"],
      ["check"],
      ["full", ...WITHOUT_MANAGEMENT],
      ["restore", "--id", id, "--append"],
      ["restore", "--id", id, "--append", "--management-url", "none"],
    ]) {
      const result = await scene.run(args, { env });
      expectFailure(result, {
        status: 4,
        error: /(broker amqp:|management API http:)\/\/127\.0\.0\.1:\d+.* refused the login/,
        hint: /user and password/,
      });
    }
    expect(await scene.committed()).toEqual([id]);
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q", messages);
  });

  test("a virtual host that does not exist", async () => {
    await using scene = await newScene(broker);
    const messages = await filled(scene);
    const id = await scene.backup();
    for (const args of [
      ["full", "--vhost", "nowhere"],
      ["check", "--vhost", "nowhere"],
      ["full", "--vhost", "nowhere", ...WITHOUT_MANAGEMENT],
      ["restore", "--id", id, "--to-vhost", "nowhere"],
    ]) {
      const result = await scene.run(args);
      expectFailure(result, { status: 4, error: /virtual host nowhere/, hint: /permission|--vhost/ });
    }
    expect(await scene.committed()).toEqual([id]);
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q", messages);
  });
});

test("a broker that is down", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene);
  const id = await scene.backup();
  const closed = await closedPort();
  const amqp = scene.url(closed);
  const management = `http://127.0.0.1:${closed}`;
  const append = ["restore", "--id", id, "--append"];
  for (const [args, env] of [
    [["full"], { MQBACKUP_URL: amqp, MQBACKUP_MANAGEMENT_URL: management }],
    [["full"], { MQBACKUP_URL: amqp }],
    [["full", ...WITHOUT_MANAGEMENT], { MQBACKUP_URL: amqp }],
    [["check"], { MQBACKUP_URL: amqp }],
    [append, { MQBACKUP_URL: amqp, MQBACKUP_MANAGEMENT_URL: management }],
    [append, { MQBACKUP_URL: amqp }],
  ] as const) {
    const result = await scene.run(args, { env });
    expectFailure(result, {
      status: 4,
      error: new RegExp(`(amqp|http)://127\\.0\\.0\\.1:${closed}.* cannot be reached: connection refused`),
      hint: /broker runs|--management-url/,
    });
  }
  expect(await scene.committed()).toEqual([id]);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

test("the second of several addresses is tried", async () => {
  await using scene = await newScene(newestBroker());
  await filled(scene);
  const env = { MQBACKUP_URL: `${scene.url(await closedPort())},${scene.url()}` };
  expect(await scene.run(["full"], { env })).toMatchObject({ status: 0 });
  await scene.expectNothingLeft();
});

test("a management API that is closed, and doing without", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene);
  const env = { MQBACKUP_MANAGEMENT_URL: `http://127.0.0.1:${await closedPort()}` };
  for (const args of [["full"], ["check"]]) {
    expectFailure(await scene.run(args, { env }), {
      status: 4,
      error: /management API http:\/\/127\.0\.0\.1:\d+ cannot be reached: connection refused/,
      hint: /--queue .*--management-url none/,
    });
  }
  expect(await scene.committed()).toEqual([]);

  const full = await scene.run(["full", ...WITHOUT_MANAGEMENT], { env });
  expect(full).toMatchObject({ status: 0 });
  expect(full.stdout).toMatch(/warning: without the management API: .*not known/);
  const append = ["restore", "--id", "latest", "--append", "--management-url", "none"];
  expect(await scene.run(append, { env })).toMatchObject({ status: 0 });
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", [...messages, ...messages]);
});

test("without the management API queues are named exactly, and so is their type", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene);
  const none = ["full", "--management-url", "none"];
  expectFailure(await scene.run(none), { status: 2, error: /queue/, hint: /--queue/ });
  expectFailure(await scene.run([...none, "--queue", "q*"]), {
    status: 2,
    error: /q\*/,
    hint: /exactly/,
  });
  expectFailure(await scene.run([...none, "--queue", "q"]), {
    status: 30,
    error: /queue q in .*type is not known/,
    hint: /--queue-type/,
  });
  expectFailure(await scene.run([...none, "--queue", "nothing", "--queue-type", "classic"]), {
    status: 1,
    error: /queue nothing in .* does not exist/,
    hint: /./,
  });
  expect(await scene.committed()).toEqual([]);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

async function filled(scene: Scene) {
  await declareQueue(scene.vhost, "q", "classic");
  return fill(scene.vhost, "q", 50);
}

/** Nobody listens there. */
async function closedPort(): Promise<number> {
  await using proxy = await startProxy({ host: "127.0.0.1", port: 1 });
  return proxy.port;
}
