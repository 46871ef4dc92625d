import { writeFile } from "node:fs/promises";
import { connect } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  clearAlarms,
  freeze,
  killNode,
  raiseDiskAlarm,
  raiseMemoryAlarm,
  restartBroker,
  settle,
  startNode,
  thaw,
} from "../lab/broker-control.ts";
import { startBroker, stopBroker, type OwnBroker } from "../lab/brokers.ts";
import { openChannel } from "../lab/channel.ts";
import { firstDifference } from "../lab/compare.ts";
import { drain } from "../lab/drain.ts";
import { startProxy } from "../lab/proxy.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue } from "../lab/queues.ts";
import { smallDisk } from "../lab/tmpfs.ts";
import { makeAuthority } from "../lab/tls.ts";
import { until } from "../lab/until.ts";
import { freshVhost } from "../lab/vhost.ts";

describe("a broker of one's own", () => {
  let broker: OwnBroker;
  beforeAll(async () => {
    broker = await startBroker({ version: "4.3" });
  });
  afterAll(() => broker[Symbol.asyncDispose]());

  test.each([
    ["an ordered restart", (own: OwnBroker) => restartBroker(own)],
    ["a kill", async (own: OwnBroker) => (await killNode(own), await startNode(own))],
  ])("keeps persistent messages over %s", async (_name, interrupt) => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum");
    const filled = await fill(vhost, "q", 100);
    await settle(broker);
    await interrupt(broker);
    expect(firstDifference(await drain(vhost, "q"), filled)).toBeUndefined();
  });

  test.each([
    ["memory", raiseMemoryAlarm],
    ["disk", raiseDiskAlarm],
  ])("blocks publishers by a %s alarm until it is cleared", async (_name, raise) => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await raise(broker);
    let filled = false;
    const filling = fill(vhost, "q", 1).then(() => (filled = true));
    await using lane = await openChannel(vhost.url);
    await lane.channel.checkQueue("q");
    expect(filled).toBe(false);
    await clearAlarms(broker);
    await filling;
    expect(await drain(vhost, "q")).toHaveLength(1);
  });

  test("answers nothing while it is frozen", async () => {
    await using vhost = await freshVhost(broker);
    await using lane = await openChannel(vhost.url);
    await freeze(broker);
    let answered = false;
    const answer = lane.channel.assertQueue("q").then(() => (answered = true));
    await expect(until("an answer", () => answered, { timeoutMs: 300 })).rejects.toThrow("in vain");
    await thaw(broker);
    await answer;
  });
});

test("a broker with TLS takes clients of its authority only", async () => {
  await using authority = await makeAuthority({ verifyPeer: true });
  await using broker = await startBroker({ version: "4.3", tls: authority });
  const url = broker.amqpsUrl ?? "";
  const connection = await connect(url, { ca: [authority.ca], ...authority.client });
  await connection.close();
  await expect(connect(url, { ca: [authority.ca] })).rejects.toThrow(/certificate|closed|alert/i);
  await expect(connect(url, authority.client)).rejects.toThrow(/self-signed/);
});

test("a broker on the host's network stands beside others", async () => {
  const [one, other] = await Promise.all([
    startBroker({ version: "4.0", network: "host" }),
    startBroker({ version: "3.10", network: "host", configLines: ["heartbeat = 7"] }),
  ]);
  for (const broker of [one, other]) {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await fill(vhost, "q", 10);
    expect(await drain(vhost, "q")).toHaveLength(10);
  }
  await Promise.all([stopBroker(one), stopBroker(other)]);
});

test("the proxy cuts, refuses, pauses and delays", async () => {
  await using broker = await startBroker({ version: "4.3" });
  await using proxy = await startProxy({ host: broker.host, port: broker.amqpPort });
  const url = `amqp://guest:guest@127.0.0.1:${proxy.port}`;

  const first = await connect(url);
  const failed = new Promise((resolve) => first.on("error", resolve).on("close", resolve));
  proxy.cut();
  await failed;
  await until("connection gone", () => proxy.connections() === 0);

  proxy.refuse();
  await expect(connect(url)).rejects.toThrow(/closed|ECONNRESET/);
  proxy.accept();

  proxy.cutAfter(100);
  await expect(connect(url)).rejects.toThrow(/closed|ECONNRESET/);

  await using lane = await openChannel(url);
  proxy.pause();
  let answered = false;
  const answer = lane.channel.assertQueue("", { exclusive: true }).then(() => (answered = true));
  await expect(until("an answer", () => answered, { timeoutMs: 200 })).rejects.toThrow("in vain");
  proxy.resume();
  await answer;

  proxy.delay(50);
  const before = performance.now();
  await lane.channel.assertQueue("", { exclusive: true });
  expect(performance.now() - before).toBeGreaterThan(95);
});

test("a small disk gets full", async () => {
  await using disk = await smallDisk(64 * 1024);
  await writeFile(disk.join("fits"), Buffer.alloc(32 * 1024));
  await expect(writeFile(disk.join("too much"), Buffer.alloc(64 * 1024))).rejects.toMatchObject({
    code: "ENOSPC",
  });
});
