import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { startBroker, type Broker } from "../lab/brokers.ts";
import { openChannel } from "../lab/channel.ts";
import { definitionsOf, drillUser, scratchAt } from "../lab/drills.ts";
import { expectAll } from "../lab/expect-queue.ts";
import { createVhost, deleteVhost } from "../lab/management.ts";
import { startPingService } from "../lab/ping-service.ts";
import { startProxy } from "../lab/proxy.ts";
import { fill, labMessage, publishAll, type LabMessage } from "../lab/publish.ts";
import { declareQueue, readyCount } from "../lab/queues.ts";
import { repositoryCopy } from "../lab/repository.ts";
import { expectClean, expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker, sharedBrokers } from "../lab/shared-brokers.ts";
import { tempDirectory } from "../lab/temp.ts";

const DRILL = ["drill", "--id", "latest"];

describe.each(sharedBrokers())("$version", (broker) => {
  test("a drill proves queues of every kind with one tag, and touches nothing else", async () => {
    await using scene = await newScene(broker);
    await using user = await drillUser(scene);
    const orders = await ofEveryKind(scene);
    await scene.backup();
    // What comes to a quorum queue now is served before what the backup gave back only if it was never read.
    await publishAll(scene.vhost, "payments", prioritized(100, 9));
    await scene.backup();
    const before = await definitionsOf(scene);

    const result = await scene.run([...DRILL, "--no-progress"], { env: user.env });
    expect(result).toMatchObject({ status: 0, stderr: "" });
    for (const [name, type, count] of [
      ["bare", "classic", "0"],
      ["clicks", "stream", "200"],
      ["orders", "classic", "200"],
      ["payments", "quorum", "300"],
      ["urgent", "classic", "200"],
    ]) {
      expect(result.stdout).toMatch(new RegExp(`^${name} in \\S+ +${type} +proven +${count} `, "m"));
    }
    expect(result.stdout).toMatch(/^5 of 5 queues proven: 900 messages came back as backed up and in order/m);
    expect(result.stdout).toMatch(/^declared besides: 2 exchanges, 2 bindings$/m);
    expect(await scratchAt(broker)).toEqual([]);
    expect(await definitionsOf(scene)).toEqual(before);
    expect(await readyCount(scene.vhost, "payments")).toBe(300);
    await expectAll(scene.vhost, "orders", orders);
    await scene.expectNothingLeft();
  });

  test("what is the user's to keep, and what is quiet", async () => {
    await using scene = await newScene(broker);
    await using user = await drillUser(scene, ["administrator", "impersonator"]);
    await declareQueue(scene.vhost, "q", "classic");
    await publishAll(scene.vhost, "q", withUserId(20, broker.username));
    await scene.backup();
    expect(await scene.run([...DRILL, "--quiet"], { env: user.env })).toMatchObject({
      status: 0,
      stdout: "",
      stderr: "",
    });
    const kept = await scene.run([...DRILL, "--json", "--quiet"], { env: user.env });
    expect(JSON.parse(kept.stdout)).toMatchObject({
      status: 0,
      userIds: "kept",
      proven: 1,
      queues: [{ vhost: scene.vhost.name, name: "q", outcome: "proven", messages: 20, compared: 20 }],
      swept: [],
      notRemoved: [],
      failure: null,
    });
    await using without = await drillUser(scene);
    const dropped = await scene.run([...DRILL, "--json", "--quiet"], { env: without.env });
    expect(JSON.parse(dropped.stdout)).toMatchObject({ status: 0, userIds: "dropped", proven: 1 });
  });

  test("a damaged byte is found, the other queues are proven, the scratch is gone", async () => {
    await using scene = await newScene(broker);
    await using user = await drillUser(scene);
    await using copy = await repositoryCopy();
    await copy.flip("data-00004.tar.zst", 150); // the second segment of queue orders
    // Its queue "everything" has properties no broker would keep as they are.
    const args = [...DRILL, "--exclude", "everything"];
    const result = await scene.run(args, { env: { ...user.env, MQBACKUP_TARGET: copy.path } });
    expectFailure(result, {
      status: 20,
      error: /segment 2 of queue orders .* is damaged/,
      hint: /./,
      stdout: /^orders in \/ +quorum +damaged +30 [^]*^damaged orders in \/: /m,
      before: /: (proven|damaged), /,
    });
    expect(result.stdout).toMatch(/^events in \/ +stream +proven +/m);
    expect(await scratchAt(broker)).toEqual([]);
  });

  test("a user without the tag is told which one it lacks", async () => {
    await using scene = await newScene(broker);
    await using user = await drillUser(scene, ["management"]);
    await declareQueue(scene.vhost, "q", "classic");
    await scene.backup();
    expectFailure(await scene.run(DRILL, { env: user.env }), {
      status: 4,
      error: /the user lacks the tag administrator$/,
      hint: /rabbitmqctl set_user_tags <user> administrator/,
    });
    expect(await scratchAt(broker)).toEqual([]);
  });
});

test("a drill that was killed leaves its scratch to the next one, which removes it and no other", async () => {
  await using scene = await newScene(newestBroker());
  await using user = await drillUser(scene);
  await declareQueue(scene.vhost, "q", "classic");
  await fill(scene.vhost, "q", 12_000);
  await scene.backup();
  const foreign = "mqbackup.drill.made-by-hand";
  await createVhost(scene.broker, foreign);
  try {
    await using proxy = await startProxy({ host: scene.broker.host, port: scene.broker.amqpPort });
    const inTheMiddle = proxy.pauseAfter(200_000, "server");
    const env = { ...user.env, MQBACKUP_URL: user.url(proxy.port) };
    await using running = await scene.start(DRILL, { env });
    await inTheMiddle;
    running.kill("SIGKILL");
    expect(await running.result).toMatchObject({ signal: "SIGKILL" });
    const left = (await scratchAt(scene.broker)).filter((name) => name !== foreign);
    expect(left).toHaveLength(1);

    const next = await scene.run([...DRILL, "--no-progress"], { env: user.env });
    expect(next).toMatchObject({ status: 0 });
    expect(next.stdout).toContain(`note: removed what earlier drills had left: ${left[0]}\n`);
    expect(await scratchAt(scene.broker)).toEqual([foreign]);
  } finally {
    await deleteVhost(scene.broker, foreign);
  }
});

describe.each(["SIGINT", "SIGTERM"] as const)("%s", (signal) => {
  test.each([
    ["restoring", "server"],
    ["reading back", "client"],
  ] as const)("while %s: the scratch is removed", async (_, to) => {
    await using scene = await newScene(newestBroker());
    await using user = await drillUser(scene);
    await declareQueue(scene.vhost, "q", "classic");
    await fill(scene.vhost, "q", 12_000);
    await scene.backup();
    await using proxy = await startProxy({ host: scene.broker.host, port: scene.broker.amqpPort });
    const inTheMiddle = proxy.pauseAfter(500_000, to);
    const env = { ...user.env, MQBACKUP_URL: user.url(proxy.port) };
    await using running = await scene.start(DRILL, { env });
    await inTheMiddle;
    running.kill(signal);
    proxy.resume();
    const result = await running.result;
    expectClean(result, scene.secret);
    expectFailure(result, {
      status: 130,
      error: /interrupted after 0 of 1 queues were proven/,
      hint: /./,
      stdout: /^q in \S+ +classic +interrupted +12,000 /m,
      before: /^q: interrupted/,
    });
    expect(await scratchAt(scene.broker)).toEqual([]);
  });
});

test("two drills at once do not disturb each other", async () => {
  await using scene = await newScene(newestBroker());
  await using user = await drillUser(scene);
  await declareQueue(scene.vhost, "q", "quorum");
  await fill(scene.vhost, "q", 3000);
  await scene.backup();
  const both = await Promise.all([0, 1].map(() => scene.run(DRILL, { env: user.env })));
  expect(both.map(({ status }) => status)).toEqual([0, 0]);
  expect(both.map(({ stdout }) => stdout).join()).not.toContain("earlier drills");
  expect(await scratchAt(scene.broker)).toEqual([]);
});

test("an incremental is proven with what it keeps from its base", async () => {
  await using scene = await newScene(newestBroker());
  await using user = await drillUser(scene);
  await declareQueue(scene.vhost, "q", "quorum");
  await fill(scene.vhost, "q", 300);
  await scene.backup();
  await using lane = await openChannel(scene.vhost.url);
  for (let taken = 0; taken < 20; taken++) await lane.channel.get("q", { noAck: true });
  await fill(scene.vhost, "q", 50, { from: 300 });
  expect(await scene.run(["incremental"])).toMatchObject({ status: 0 });
  const result = await scene.run([...DRILL, "--json", "--quiet"], { env: user.env });
  expect(JSON.parse(result.stdout)).toMatchObject({
    status: 0,
    backup: expect.stringMatching(/I$/) as string,
    queues: [{ name: "q", outcome: "proven", compared: 330 }],
  });
});

test("who watches is told", async () => {
  await using scene = await newScene(newestBroker());
  await using user = await drillUser(scene);
  await using service = await startPingService();
  await using directory = await tempDirectory();
  await declareQueue(scene.vhost, "q", "classic");
  await fill(scene.vhost, "q", 30);
  await scene.backup();
  const file = directory.join("mqbackup.prom");
  const env = { ...user.env, MQBACKUP_METRICS_FILE: file, MQBACKUP_PING_URL: service.url };
  expect(await scene.run([...DRILL, "--quiet"], { env })).toMatchObject({ status: 0, stderr: "" });
  const metrics = await readFile(file, "utf8");
  expect(metrics).toContain('\nmqbackup_last_run_status{command="drill"} 0\n');
  expect(metrics).toContain('\nmqbackup_drill_messages{command="drill"} 30\n');
  expect(metrics).toContain('\nmqbackup_drill_queues{command="drill",outcome="proven"} 1\n');
  expect(metrics).toContain('\nmqbackup_drill_queues{command="drill",outcome="differs"} 0\n');
  expect(service.pings).toEqual(["/start", ""]);
});

test("on a broker without its plugins a backup is proven, and what is missing is named", async () => {
  await using source = await startBroker({ version: "4.3", plugins: ["rabbitmq_consistent_hash_exchange"] });
  await using scene = await newScene(source);
  const [spare = scene.broker] = sharedBrokers();
  await using user = await drillUser(scene, ["administrator"], spare);
  await using lane = await openChannel(scene.vhost.url);
  await lane.channel.assertExchange("spread", "x-consistent-hash");
  await lane.channel.assertExchange("front", "fanout");
  await lane.channel.bindExchange("spread", "front", "");
  await declareQueue(scene.vhost, "q", "classic");
  await lane.channel.bindQueue("q", "spread", "1");
  await lane.channel.bindQueue("q", "front", "");
  await fill(scene.vhost, "q", 50);
  await scene.backup();
  const result = await scene.run([...DRILL, "--no-progress"], { env: user.env });
  expect(result).toMatchObject({ status: 3, stderr: "" });
  expect(result.stdout).toMatch(/^q in \S+ +classic +proven +50 /m);
  expect(result.stdout).toMatch(/^not declared exchange spread in \S+: .*x-consistent-hash/m);
  expect(result.stdout).toMatch(/^declared besides: 1 exchange, 1 binding$/m);
  expect(await scratchAt(spare)).toEqual([]);
});

/** Queues with everything that would lose or reorder messages while they are compared; the messages of orders. */
async function ofEveryKind(scene: Scene): Promise<LabMessage[]> {
  const { vhost, broker } = scene;
  await declareQueue(vhost, "orders", "classic", {
    "x-message-ttl": 3_600_000,
    "x-dead-letter-exchange": "shop",
    "x-max-length": 5000,
    "x-expires": 3_600_000,
  });
  await declareQueue(vhost, "urgent", "classic", { "x-max-priority": 9 });
  await declareQueue(vhost, "payments", "quorum", noLimit(broker));
  await declareQueue(vhost, "clicks", "stream");
  await declareQueue(vhost, "bare", "classic");
  await using lane = await openChannel(vhost.url);
  await lane.channel.assertExchange("front", "fanout");
  await lane.channel.assertExchange("shop", "topic");
  await lane.channel.bindExchange("shop", "front", "");
  await lane.channel.bindQueue("orders", "shop", "order.#");
  await fill(vhost, "clicks", 200);
  await publishAll(vhost, "urgent", prioritized(200, 9));
  await publishAll(vhost, "payments", prioritized(200, 5));
  const orders = withExpiration(200);
  await publishAll(vhost, "orders", orders);
  return orders;
}

/** So that reading costs no deliveries. */
function noLimit({ version }: Broker): Readonly<Record<string, unknown>> {
  return version.startsWith("3.") ? {} : { "x-delivery-limit": -1 };
}

function changed(count: number, change: (n: number) => LabMessage["properties"]): LabMessage[] {
  return Array.from({ length: count }, (_, n) => {
    const message = labMessage(n);
    return { ...message, properties: { ...message.properties, ...change(n) } };
  });
}

function prioritized(count: number, highest: number): LabMessage[] {
  return changed(count, (n) => ({ priority: n % (highest + 1) }));
}

function withExpiration(count: number): LabMessage[] {
  return changed(count, (n) => (n % 2 === 0 ? { expiration: "3600000" } : {}));
}

function withUserId(count: number, userId: string): LabMessage[] {
  return changed(count, () => ({ userId }));
}
