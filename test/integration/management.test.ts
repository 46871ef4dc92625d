import { describe, expect, test } from "vitest";

import {
  managementDirectory,
  type ManagementDirectory,
} from "../../src/adapters/management/broker-directory.ts";
import type { Broker } from "../lab/brokers.ts";
import { openChannel } from "../lab/channel.ts";
import { createUser, deleteUser, management, managementGet, setPolicy } from "../lab/management.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue } from "../lab/queues.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { until } from "../lab/until.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";

function directoryOf(
  broker: Broker,
  user = broker.username,
  password = broker.password,
): ManagementDirectory {
  const url = new URL(broker.managementUrl);
  url.username = user;
  url.password = password;
  return managementDirectory({ urls: [url.href] });
}

/** A user that may read one virtual host and nothing else. */
async function readOnlyUser(vhost: LabVhost, tags: readonly string[]) {
  const name = `reader-${vhost.name}-${tags.join("")}`;
  const permissions = [{ vhost: vhost.name, configure: "^$", write: "^$", read: ".*" }];
  await createUser(vhost.broker, { name, password: "p:w@rd", tags, permissions });
  return { name, password: "p:w@rd", [Symbol.asyncDispose]: () => deleteUser(vhost.broker, name) };
}

async function declareMany(vhost: LabVhost, names: readonly string[]): Promise<void> {
  const left = [...names];
  const lane = async (): Promise<void> => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      await management(vhost.broker, "PUT", `/api/queues/${vhost.name}/${name}`, { durable: true });
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}

const with43 = sharedBrokers().filter((broker) => broker.version === "4.3");

test.runIf(with43.length > 0).each(with43)(
  "knows delayed retry, young and old, by policy and argument: $version",
  async (broker) => {
    await using vhost = await freshVhost(broker);
    const settings = { "delayed-retry-type": "returned", "delayed-retry-min": 1000 };
    await setPolicy(broker, vhost.name, "retry", { pattern: "^by-policy", definition: settings });
    await declareQueue(vhost, "by-policy", "quorum", {
      "x-delayed-retry-type": "all",
      "x-delayed-retry-min": 1000,
    });
    await declareQueue(vhost, "by-argument", "quorum", {
      "x-delayed-retry-type": "all",
      "x-delayed-retry-min": 1000,
    });
    await declareQueue(vhost, "neither", "quorum");
    using directory = directoryOf(broker);
    const told = async () =>
      (await directory.queues(vhost.name)).map((queue) => [queue.name, queue.delayedRetry]);
    expect(await told()).toEqual([
      ["by-argument", "all"],
      ["by-policy", "returned"],
      ["neither", null],
    ]);
    await until(
      "statistics",
      async () => (await directory.queue(vhost.name, "neither"))?.delayedRetry === "disabled",
    );
    expect(await told()).toEqual([
      ["by-argument", "all"],
      ["by-policy", "returned"],
      ["neither", "disabled"],
    ]);
  },
);

describe.each(sharedBrokers())("broker $version", (broker) => {
  test("describes itself", async () => {
    using directory = directoryOf(broker);
    const described = await directory.describe();
    expect(described.product).toBe("RabbitMQ");
    expect(described.version).toMatch(new RegExp(`^${broker.version}\\.`));
    expect(described.clusterName).toMatch(/^rabbit@/);
  });

  test("knows types, arguments and odd names at once, and counts when they come", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "a/b c.%2F?é", "classic", { "x-max-length": 10 });
    await declareQueue(vhost, "quorum", "quorum", { "x-delivery-limit": 5 });
    await declareQueue(vhost, "stream", "stream");
    using directory = directoryOf(broker);

    const queues = await directory.queues(vhost.name);

    expect(queues.map(({ name, type }) => [name, type])).toEqual([
      ["a/b c.%2F?é", "classic"],
      ["quorum", "quorum"],
      ["stream", "stream"],
    ]);
    const [classic, quorum] = queues;
    expect(classic).toMatchObject({
      vhost: vhost.name,
      durable: true,
      autoDelete: false,
      exclusive: false,
      policy: null,
    });
    expect(classic?.arguments).toMatchObject({ "x-max-length": 10 });
    expect(quorum?.arguments).toMatchObject({ "x-delivery-limit": 5 });
    expect(await directory.queue(vhost.name, "a/b c.%2F?é")).toMatchObject({
      name: "a/b c.%2F?é",
      type: "classic",
    });
    expect(await directory.queue(vhost.name, "nowhere")).toBeNull();

    await fill(vhost, "quorum", 7, { bodyBytes: 100 });
    const counted = await until("counts, which come one by one", async () => {
      const queue = await directory.queue(vhost.name, "quorum");
      return queue?.counts.ready === 7 && (queue.readyBytes ?? 0) >= 700 && queue.consumers === 0 && queue;
    });
    expect(counted).toMatchObject({ counts: { unacknowledged: 0 }, exclusiveConsumer: false });
    expect(counted.deliveryLimit).toBe(broker.version.startsWith("3.") ? null : 5);
  });

  test("tells what policy and operator policy amount to, of a queue just declared and later", async () => {
    await using vhost = await freshVhost(broker);
    await setPolicy(broker, vhost.name, "limits", {
      pattern: "^q",
      definition: { "delivery-limit": 7, "max-length": 50 },
    });
    await management(broker, "PUT", `/api/operator-policies/${vhost.name}/ops`, {
      pattern: "^q",
      definition: { "delivery-limit": 3 },
      "apply-to": "queues",
    });
    const odd = String.raw`q.[1]\ é{2}$`;
    await declareQueue(vhost, "q", "quorum");
    await declareQueue(vhost, odd, "quorum");
    await declareQueue(vhost, "other", "quorum");
    using directory = directoryOf(broker);

    const expected = {
      policy: "limits",
      operatorPolicy: "ops",
      effectivePolicy: { "delivery-limit": 3, "max-length": 50 },
    };
    expect(await directory.queue(vhost.name, "q")).toMatchObject(expected);
    expect(await directory.queue(vhost.name, odd)).toMatchObject(expected);
    expect(await directory.queues(vhost.name)).toEqual([
      expect.objectContaining({ name: "other", policy: null, operatorPolicy: null, effectivePolicy: {} }),
      expect.objectContaining({ name: "q", ...expected }),
      expect.objectContaining({ name: odd, ...expected }),
    ]);
    const path = `/api/queues/${vhost.name}/q?columns=effective_policy_definition`;
    await until(
      "statistics",
      async () => "effective_policy_definition" in ((await managementGet(broker, path)) as object),
    );
    expect(await directory.queue(vhost.name, "q")).toMatchObject(expected);
    const deliveryLimit = broker.version.startsWith("3.") ? null : 3;
    expect(await directory.queue(vhost.name, "q")).toMatchObject({ deliveryLimit });
  });

  test("tells a policy set just now, and none just taken away", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum");
    const path = `/api/queues/${vhost.name}/q?columns=effective_policy_definition`;
    await until(
      "statistics",
      async () => "effective_policy_definition" in ((await managementGet(broker, path)) as object),
    );
    using directory = directoryOf(broker);
    const limits = { pattern: "^q$", definition: { "delivery-limit": 4 } };
    await setPolicy(broker, vhost.name, "limits", limits);
    expect(await directory.queue(vhost.name, "q")).toMatchObject({
      policy: "limits",
      effectivePolicy: limits.definition,
      deliveryLimit: broker.version === "4.3" ? 4 : null,
    });
    await management(broker, "DELETE", `/api/policies/${vhost.name}/limits`);
    expect(await directory.queues(vhost.name)).toMatchObject([{ policy: null, effectivePolicy: {} }]);
  });

  test("sees consumers, exclusive use and exclusive queues", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "shared", "classic", { "x-single-active-consumer": true });
    await declareQueue(vhost, "taken", "classic");
    await using lane = await openChannel(vhost.url);
    await lane.channel.consume("shared", () => undefined);
    await lane.channel.consume("taken", () => undefined, { exclusive: true });
    await lane.channel.assertQueue("own", { exclusive: true, durable: false });
    using directory = directoryOf(broker);

    expect(await directory.queue(vhost.name, "own")).toMatchObject({ exclusive: true, durable: false });
    await until("consumers", async () => (await directory.queue(vhost.name, "taken"))?.exclusiveConsumer);
    await until("consumers", async () => (await directory.queue(vhost.name, "shared"))?.consumers);
    expect(await directory.queue(vhost.name, "shared")).toMatchObject({
      consumers: 1,
      exclusiveConsumer: false,
    });
  });

  test("lists 2,200 queues, in order, complete", async () => {
    await using vhost = await freshVhost(broker);
    const expected = Array.from({ length: 2200 }, (_, n) => `q.${String(n).padStart(4, "0")}`);
    await declareMany(vhost, expected);
    using directory = directoryOf(broker);
    const queues = await directory.queues(vhost.name);
    expect(queues.map((queue) => queue.name)).toEqual(expected);
    expect(new Set(queues.map((queue) => queue.type))).toEqual(new Set(["classic"]));
  });

  test("lists nothing of an empty virtual host, and knows one that is not there", async () => {
    await using vhost = await freshVhost(broker);
    using directory = directoryOf(broker);
    expect(await directory.queues(vhost.name)).toEqual([]);
    await expect(directory.queues("nowhere")).rejects.toMatchObject({ code: "VHOST_MISSING" });
    expect(await directory.vhosts()).toContain(vhost.name);
  });

  test("gives exchanges, bindings and policies without what is everywhere", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await using lane = await openChannel(vhost.url);
    await lane.channel.assertExchange("mqbackup.restore.x", "fanout");
    await lane.channel.assertExchange("orders", "topic", { durable: true, alternateExchange: "lost" });
    await lane.channel.bindQueue("q", "orders", "eu.#", { note: "x" });
    await lane.channel.bindQueue("q", "amq.topic", "all");
    await lane.channel.bindQueue("q", "mqbackup.restore.x", "");
    await setPolicy(broker, vhost.name, "limits", { pattern: "^q", definition: { "max-length": 50 } });
    using directory = directoryOf(broker);

    const definitions = await directory.definitions(vhost.name);

    expect(definitions.exchanges).toEqual([
      {
        name: "orders",
        type: "topic",
        durable: true,
        autoDelete: false,
        internal: false,
        arguments: { "alternate-exchange": "lost" },
      },
    ]);
    expect(definitions.bindings).toHaveLength(2);
    expect(definitions.bindings).toEqual(
      expect.arrayContaining([
        {
          source: "orders",
          destination: "q",
          destinationType: "queue",
          routingKey: "eu.#",
          arguments: { note: "x" },
        },
        { source: "amq.topic", destination: "q", destinationType: "queue", routingKey: "all", arguments: {} },
      ]),
    );
    expect(definitions.policies).toMatchObject([{ name: "limits", definition: { "max-length": 50 } }]);
  });

  test("suffices with the tag management and permission to read", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "quorum");
    await using user = await readOnlyUser(vhost, ["management"]);
    using directory = directoryOf(broker, user.name, user.password);

    expect((await directory.describe()).product).toBe("RabbitMQ");
    expect(await directory.vhosts()).toEqual([vhost.name]);
    expect(await directory.queues(vhost.name)).toMatchObject([{ name: "q", type: "quorum" }]);
    expect(await directory.alarms()).toEqual([]);
    expect(await directory.definitions(vhost.name)).toMatchObject({ exchanges: [], bindings: [] });
    expect(await directory.memory()).toBeNull();
  });

  test("refuses a virtual host without permission in words", async () => {
    await using vhost = await freshVhost(broker);
    await using other = await freshVhost(broker);
    await using user = await readOnlyUser(vhost, ["management"]);
    using directory = directoryOf(broker, user.name, user.password);
    await expect(directory.queues(other.name)).rejects.toMatchObject({
      code: expect.stringMatching(/^(MANAGEMENT_REFUSED|VHOST_MISSING)$/),
      hint: expect.anything(),
    });
  });

  test("tells memory to the tag monitoring", async () => {
    await using vhost = await freshVhost(broker);
    await using user = await readOnlyUser(vhost, ["monitoring"]);
    using directory = directoryOf(broker, user.name, user.password);
    const [node] = (await directory.memory()) ?? [];
    expect(node?.usedBytes).toBeGreaterThan(1 << 20);
    expect(node?.limitBytes).toBeGreaterThan(node?.usedBytes ?? 0);
  });

  test("knows a wrong password from a missing tag, and shows neither password", async () => {
    await using vhost = await freshVhost(broker);
    await using user = await readOnlyUser(vhost, []);
    using wrong = directoryOf(broker, user.name, "not-this-one");
    const error: unknown = await wrong.describe().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "LOGIN_REFUSED", hint: expect.stringContaining("tag management") });
    expect(String(error) + JSON.stringify(error)).not.toContain("not-this-one");
    await expect(wrong.memory()).rejects.toMatchObject({ code: "LOGIN_REFUSED" });
    using untagged = directoryOf(broker, user.name, user.password);
    await expect(untagged.describe()).rejects.toMatchObject({
      code: "LOGIN_REFUSED",
      message: expect.stringContaining("lacks the tag management"),
    });
  });
});
