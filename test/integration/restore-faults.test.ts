import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryExchangeName } from "../../src/adapters/amqp/temporary-exchange.ts";
import type { RestoreEvent } from "../../src/usecases/restore-types.ts";
import { messages } from "../fakes/sample-backup.ts";
import {
  clearAlarms,
  freeze,
  killNode,
  raiseDiskAlarm,
  raiseMemoryAlarm,
  settle,
  startNode,
  thaw,
} from "../lab/broker-control.ts";
import { startBroker, type BrokerVersion, type OwnBroker } from "../lab/brokers.ts";
import { managementGet } from "../lab/management.ts";
import { startProxy } from "../lab/proxy.ts";
import { declareQueue, readyCount } from "../lab/queues.ts";
import { labBackup } from "../lab/restore.ts";
import { until } from "../lab/until.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";

const COUNT = 20_000;
const records = messages(COUNT, 200);
const NOT_ONE_DELIVERY = { "x-delivery-limit": -1 };

describe.each(["3.10", "4.3"] as const)(
  "restoring into a broker in trouble, %s",
  (version: BrokerVersion) => {
    let broker: OwnBroker;
    beforeAll(async () => {
      broker = await startBroker({ version });
    });
    afterAll(() => broker[Symbol.asyncDispose]());

    test.each(["classic", "quorum"] as const)(
      "killed in the middle, a %s queue is restored to the message",
      async (type) => {
        await using vhost = await freshVhost(broker);
        await declareQueue(vhost, "q", type, type === "quorum" && version !== "3.10" ? NOT_ONE_DELIVERY : {});
        await settle(broker);
        const backup = await labBackup([{ name: "q", type, records }]);
        let killed: Promise<void> | undefined;
        const onEvent = (event: RestoreEvent): void => {
          if (event.kind === "queue-progress" && event.confirmed > 2000) killed ??= killNode(broker);
        };
        const broken = await backup.restore(vhost, {}, { onEvent, limits: SMALL_WINDOW });
        await killed;
        await startNode(broker);
        expect(broken.failure).toMatchObject({ code: "BROKER_LOST" });
        const confirmed = broken.queues[0]?.confirmed ?? 0;
        expect(confirmed).toBeGreaterThan(2000);
        expect(confirmed).toBeLessThan(COUNT);
        await until("all confirmed are back", async () => (await readyCount(vhost, "q")) >= confirmed);
        await expectResumed(vhost, backup);
      },
    );

    test("cut off in the middle it goes on, and the exchange left behind is removed", async () => {
      await using vhost = await freshVhost(broker);
      await using proxy = await startProxy({ host: broker.host, port: broker.amqpPort });
      const amqpUrl = `amqp://guest:guest@127.0.0.1:${proxy.port}`;
      const backup = await labBackup([{ name: "q", records }]);
      const onEvent = (event: RestoreEvent): void => {
        if (event.kind === "queue-progress" && event.confirmed > 2000 && event.confirmed < 10_000)
          proxy.cut();
      };
      const broken = await backup.restore(vhost, {}, { onEvent, amqpUrl, limits: SMALL_WINDOW });
      expect(broken.failure).toMatchObject({ code: "BROKER_LOST" });
      const left = temporaryExchangeName({ vhost: vhost.name, name: "q" });
      expect(await exchanges(vhost)).toContain(left);
      await settledCount(vhost);
      await expectResumed(vhost, backup, amqpUrl);
      expect(await exchanges(vhost)).not.toContain(left);
    });

    test("interrupted it stops cleanly, and goes on", async () => {
      await using vhost = await freshVhost(broker);
      const backup = await labBackup([{ name: "q", records }]);
      const controller = new AbortController();
      const onEvent = (event: RestoreEvent): void => {
        if (event.kind === "queue-progress" && event.published > 5000) controller.abort();
      };
      const stopped = await backup.restore(vhost, {}, { onEvent, signal: controller.signal });
      expect(stopped.failure).toMatchObject({ code: "INTERRUPTED" });
      expect(stopped.queues).toMatchObject([
        { outcome: "interrupted", confirmed: await readyCount(vhost, "q") },
      ]);
      expect(await exchanges(vhost)).toEqual([]);
      await expectResumed(vhost, backup);
    });

    test.each([
      ["memory", raiseMemoryAlarm],
      ["disk", raiseDiskAlarm],
    ])("a %s alarm is waited for, and said", async (_, raise) => {
      await using vhost = await freshVhost(broker);
      const backup = await labBackup([{ name: "q", records: records.slice(0, 10_000) }]);
      const reasons: (string | null)[] = [];
      const onEvent = (event: RestoreEvent): void => {
        if (event.kind !== "blocked") return;
        reasons.push(event.reason);
        if (event.reason !== null) void clearAlarms(broker);
      };
      const beforeSegment = async (fetched: number): Promise<void> => {
        if (fetched === 4) await raise(broker);
      };
      const result = await backup.restore(vhost, { readBack: true }, { onEvent, beforeSegment });
      expect(result).toMatchObject({ failure: null, queues: [{ readBack: { kind: "same" } }] });
      expect(reasons).toEqual([expect.stringContaining("low on"), null]);
    });

    test("an alarm that lasts ends the restore, before the first message too", async () => {
      await using vhost = await freshVhost(broker);
      const backup = await labBackup([{ name: "q", records: records.slice(0, 100) }]);
      await raiseDiskAlarm(broker);
      try {
        const result = await backup.restore(vhost, {}, { limits: { alarmMs: 500 } });
        expect(result.failure).toMatchObject({ code: "BROKER_ALARM" });
        expect(await exchanges(vhost)).toEqual([]);
      } finally {
        await clearAlarms(broker);
      }
      expect((await backup.restore(vhost, { resume: true, readBack: true })).queues).toMatchObject([
        { failure: null, readBack: { kind: "same", messages: 100 } },
      ]);
    });

    test("a broker that takes everything and confirms nothing is given up", async () => {
      await using vhost = await freshVhost(broker);
      const backup = await labBackup([{ name: "q", records }]);
      let frozen: Promise<void> | undefined;
      const onEvent = (event: RestoreEvent): void => {
        if (event.kind === "queue-progress" && event.published > 2000) frozen ??= freeze(broker);
      };
      const restoring = backup.restore(vhost, {}, { onEvent, limits: { ...SMALL_WINDOW, silenceMs: 1000 } });
      await until("the broker is frozen", () => frozen !== undefined);
      const givenUp = (await Promise.race([restoring, later(60_000)])) !== "too late";
      await thaw(broker);
      expect(givenUp).toBe(true);
      expect((await restoring).failure).toMatchObject({
        code: "PUBLISH_REFUSED",
        message: expect.stringContaining("has not confirmed a message") as string,
      });
    });
  },
);

/** Progress often, and little in flight. */
const SMALL_WINDOW = { windowMessages: 1000 };

async function expectResumed(
  vhost: LabVhost,
  backup: Awaited<ReturnType<typeof labBackup>>,
  amqpUrl?: string,
): Promise<void> {
  const command = { resume: true, readBack: true };
  const resumed = await backup.restore(vhost, command, amqpUrl === undefined ? {} : { amqpUrl });
  expect(resumed.failure).toBeNull();
  expect(resumed.queues).toMatchObject([{ confirmed: COUNT, readBack: { kind: "same", messages: COUNT } }]);
  expect(await readyCount(vhost, "q")).toBe(COUNT);
}

async function exchanges(vhost: LabVhost): Promise<string[]> {
  const listed = await managementGet(vhost.broker, `/api/exchanges/${encodeURIComponent(vhost.name)}`);
  return (listed as { readonly name: string }[])
    .map(({ name }) => name)
    .filter((name) => name.startsWith("mqbackup."));
}

/** What was on the wire when it was cut has arrived. */
async function settledCount(vhost: LabVhost): Promise<void> {
  let before = -1;
  await until(
    "the count stands still",
    async () => {
      const last = before;
      before = await readyCount(vhost, "q");
      return before === last;
    },
    { everyMs: 200 },
  );
}

async function later(ms: number): Promise<"too late"> {
  return new Promise((resolve) => setTimeout(() => resolve("too late"), ms).unref());
}
