import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { temporaryExchangeName } from "../../src/adapters/amqp/temporary-exchange.ts";
import type { Definitions } from "../../src/domain/definitions.ts";
import type { MessageRecord } from "../../src/domain/message.ts";
import { parseQueueMapping } from "../../src/domain/queue-mapping.ts";
import { messages } from "../fakes/sample-backup.ts";
import { openChannel } from "../lab/channel.ts";
import { firstDifference } from "../lab/compare.ts";
import { drain, drainStream } from "../lab/drain.ts";
import { createUser, deleteUser, management, managementGet, type UserRequest } from "../lab/management.ts";
import { declareQueue, readyCount } from "../lab/queues.ts";
import { labBackup } from "../lab/restore.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";
import { encodeProperties } from "../unit/domain/wire-values.ts";

const COUNT = 3000;

/** What the README names as enough to restore into an existing queue, here `q`. Reading it back needs the right to read it too. */
const LEAST: Rights = {
  configure: String.raw`^mqbackup\.`,
  write: String.raw`^(mqbackup\..*|q)$`,
  read: String.raw`^mqbackup\.`,
};

type Rights = Omit<UserRequest["permissions"][number], "vhost">;

describe.each(sharedBrokers())("restore on $version", (broker) => {
  test.each(["classic", "quorum", "stream"] as const)(
    "a %s queue, declared, filled and read back",
    async (type) => {
      await using vhost = await freshVhost(broker);
      const records = messages(COUNT, 300);
      const backup = await labBackup([{ name: "q", type, records }]);
      const result = await backup.restore(vhost, { readBack: true });
      expect(result.failure).toBeNull();
      const readable = type !== "quorum" || broker.version !== "4.0";
      expect(result.queues).toMatchObject([
        {
          outcome: "restored",
          confirmed: COUNT,
          declared: true,
          ready: type === "stream" ? null : COUNT,
          short: 0,
          readBack: readable ? { kind: "same", messages: COUNT } : { kind: "unread" },
        },
      ]);
      expect(result.queues[0]?.latency?.p50).toBeGreaterThan(0);
      const arrived = type === "stream" ? await drainStream(vhost, "q") : await drain(vhost, "q");
      const expected = records.map(({ body }) => ({ body: Buffer.from(body) }));
      const bodies = arrived.map(({ body }) => ({ body }));
      expect(firstDifference(bodies, expected)).toBeUndefined();
      expect(await ownThings(vhost)).toEqual([]);
    },
  );

  test("exchanges and bindings are declared with a missing queue, and only then", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "there", "classic");
    const backup = await labBackup(
      [
        { name: "q", records: messages(3) },
        { name: "there", records: messages(3) },
      ],
      { definitions: [TOPOLOGY] },
    );
    const result = await backup.restore(vhost);
    expect(result).toMatchObject({ failure: null, exchanges: ["far", "near"], bindings: 2 });
    await using lane = await openChannel(vhost.url);
    lane.channel.publish("far", "orders.1", Buffer.from("new"));
    await lane.channel.waitForConfirms();
    expect(await readyCount(vhost, "q")).toBe(4);
    expect(await readyCount(vhost, "there")).toBe(3);
  });

  test("a classic queue stays one where quorum is the default", async () => {
    await using vhost = await freshVhost(broker);
    await management(broker, "PUT", `/api/vhosts/${vhost.name}`, { default_queue_type: "quorum" });
    const backup = await labBackup([{ name: "q", records: messages(3) }]);
    expect((await backup.restore(vhost)).failure).toBeNull();
    expect(await managementGet(broker, `/api/queues/${vhost.name}/q`)).toMatchObject({ type: "classic" });
  });

  test("a renamed queue gets no bindings, and existing exchanges stay as they are", async () => {
    await using vhost = await freshVhost(broker);
    await using lane = await openChannel(vhost.url);
    await lane.channel.assertExchange("near", "fanout", { durable: false });
    const backup = await labBackup([{ name: "q", records: messages(3) }], { definitions: [TOPOLOGY] });
    const renamed = await backup.restore(vhost, { mappings: [parseQueueMapping("*=copy of *")] });
    expect(renamed).toMatchObject({ failure: null, exchanges: [], bindings: 0 });
    const same = await backup.restore(vhost);
    expect(same).toMatchObject({ failure: null, exchanges: ["far"], bindings: 1 });
    await lane.channel.checkExchange("near");
  });

  test("a queue the broker will not have so is refused before anything is published", async () => {
    await using vhost = await freshVhost(broker);
    const records = messages(3);
    const backup = await labBackup([
      { name: "a", records },
      { name: "amq.forbidden", records },
    ]);
    await expect(backup.restore(vhost)).rejects.toMatchObject({
      code: "RESTORE_REFUSED",
      message: expect.stringContaining("queue amq.forbidden") as string,
    });
    expect(await readyCount(vhost, "a")).toBe(0);
  });

  test("the least rights a restore needs", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    const records = messages(200);
    const backup = await labBackup([{ name: "q", records }]);
    {
      await using user = await labUser(vhost, LEAST);
      const options = { user: user.name, withoutManagement: true };
      const result = await backup.restore(vhost, { definitions: "none" }, options);
      expect(result.queues).toMatchObject([{ failure: null, confirmed: 200, ready: 200 }]);
      await drain(vhost, "q");
    }
    await using user = await labUser(vhost, { ...LEAST, read: LEAST.write });
    const result = await backup.restore(
      vhost,
      { definitions: "none", readBack: true },
      { user: user.name, withoutManagement: true },
    );
    expect(result.queues).toMatchObject([{ failure: null, readBack: { kind: "same" } }]);
    expect(result.queues[0]?.notes).toEqual([
      expect.stringContaining("not known without the management API"),
    ]);
    expect(await ownThings(vhost)).toEqual([]);
  });

  test.each([
    ["configure", { configure: "^$" }, "temporary exchange"],
    ["write to the temporary exchange", { write: "^q$" }, "refused"],
    ["write to the queue", { write: String.raw`^mqbackup\.`, read: LEAST.write }, "temporary exchange"],
    ["read", { read: "^$" }, "temporary exchange"],
  ])("without the right to %s it says so and leaves nothing behind", async (_, less, why) => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await using user = await labUser(vhost, { ...LEAST, ...less });
    const backup = await labBackup([{ name: "q", records: messages(20) }]);
    const result = await backup.restore(
      vhost,
      { definitions: "none" },
      { user: user.name, withoutManagement: true },
    );
    expect(result.failure).toMatchObject({
      code: "PUBLISH_REFUSED",
      message: expect.stringContaining(why) as string,
    });
    expect(await readyCount(vhost, "q")).toBe(0);
    expect(await ownThings(vhost)).toEqual([]);
  });

  test("by the default exchange the rights to write there and to look at the queue are enough", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await using user = await labUser(vhost, {
      configure: "^$",
      write: String.raw`^amq\.default$`,
      read: "^q$",
    });
    const backup = await labBackup([{ name: "q", records: messages(200) }]);
    const command = { definitions: "none", route: "default" } as const;
    const result = await backup.restore(vhost, command, { user: user.name, withoutManagement: true });
    expect(result.queues).toMatchObject([{ failure: null, confirmed: 200 }]);
    expect(result.queues[0]?.notes).toContainEqual(expect.stringContaining("no lock could be taken"));
  });

  test("without the right to the default exchange all goes through the temporary one", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic");
    await using user = await labUser(vhost, LEAST);
    const backup = await labBackup([{ name: "q", records: [direct("q", 1), direct("q", 2)] }]);
    await backup.restore(vhost, { definitions: "none" }, { user: user.name, withoutManagement: true });
    const temporary = temporaryExchangeName({ vhost: vhost.name, name: "q" });
    expect((await drain(vhost, "q")).map(({ exchange }) => exchange)).toEqual([temporary, temporary]);
    await backup.restore(vhost, { definitions: "none" });
    expect((await drain(vhost, "q")).map(({ exchange }) => exchange)).toEqual(["", ""]);
  });

  test("messages a limit dropped again are missed", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "classic", { "x-max-length": 10 });
    const backup = await labBackup([{ name: "q", records: messages(30) }]);
    await expect(backup.restore(vhost)).rejects.toMatchObject({ code: "RESTORE_REFUSED" });
    const accepted = await backup.restore(vhost, { accept: new Set(["overflow"]) });
    expect(accepted.queues).toMatchObject([{ outcome: "restored", ready: 10, short: 20 }]);
  });

  test("an expiration that is kept starts anew, one that is dropped never ends", async () => {
    await using vhost = await freshVhost(broker);
    const properties = encodeProperties({ deliveryMode: 2, expiration: Buffer.from("1") });
    const records = messages(20).map((record) => ({ ...record, properties }));
    const backup = await labBackup([{ name: "q", records }]);
    const dropped = await backup.restore(vhost, { expiration: "drop", readBack: true });
    expect(dropped.queues).toMatchObject([{ ready: 20, readBack: { kind: "same" } }]);
  });

  test("eight queues at once", async () => {
    await using vhost = await freshVhost(broker);
    const queues = Array.from({ length: 8 }, (_, i) => ({ name: `q${i}`, records: messages(500 + i) }));
    const backup = await labBackup(queues);
    const result = await backup.restore(vhost, { parallel: 4, readBack: true });
    expect(result.failure).toBeNull();
    expect(result.queues.map(({ readBack }) => readBack)).toEqual(
      queues.map(({ records }) => ({ kind: "same", messages: records.length })),
    );
    expect(await ownThings(vhost)).toEqual([]);
  });
});

async function labUser(
  vhost: LabVhost,
  rights: Rights,
): Promise<{ readonly name: string } & AsyncDisposable> {
  const name = `lab-${randomBytes(6).toString("hex")}`;
  await createUser(vhost.broker, { name, password: name, permissions: [{ vhost: vhost.name, ...rights }] });
  return { name, [Symbol.asyncDispose]: () => deleteUser(vhost.broker, name) };
}

/** Exchanges and queues of mqbackup's own. */
async function ownThings(vhost: LabVhost): Promise<string[]> {
  const names: string[] = [];
  for (const kind of ["exchanges", "queues"]) {
    const listed = await managementGet(vhost.broker, `/api/${kind}/${encodeURIComponent(vhost.name)}`);
    names.push(...(listed as { readonly name: string }[]).map(({ name }) => name));
  }
  return names.filter((name) => name.startsWith("mqbackup."));
}

function direct(queue: string, number: number): MessageRecord {
  const [record] = messages(1);
  if (!record) throw new Error("no message");
  return {
    ...record,
    exchange: Buffer.alloc(0),
    routingKey: Buffer.from(queue),
    body: Buffer.from(`${number}`),
  };
}

const exchange = (name: string): Definitions["exchanges"][number] => ({
  name,
  type: "topic",
  durable: true,
  autoDelete: false,
  internal: false,
  arguments: {},
});

const TOPOLOGY: Definitions = {
  vhost: "/",
  exchanges: [exchange("far"), exchange("near")],
  bindings: [
    {
      source: "far",
      destination: "near",
      destinationType: "exchange",
      routingKey: "orders.*",
      arguments: {},
    },
    { source: "near", destination: "q", destinationType: "queue", routingKey: "#", arguments: {} },
    { source: "near", destination: "there", destinationType: "queue", routingKey: "#", arguments: {} },
  ],
  policies: [],
};
