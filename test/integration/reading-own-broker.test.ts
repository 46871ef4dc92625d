import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { BackupError } from "../../src/domain/errors.ts";
import { rabbitmqctl, restartBroker, settle } from "../lab/broker-control.ts";
import { BROKER_VERSIONS, startBroker } from "../lab/brokers.ts";
import { drain } from "../lab/drain.ts";
import { fill, numberOf } from "../lab/publish.ts";
import { declareQueue, untilReady } from "../lab/queues.ts";
import { openCursor, readAll, readQueue } from "../lab/read.ts";
import { argumentsFor, plainRecipe } from "../lab/recipes.ts";
import { until } from "../lab/until.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";

/** What a broker does of its own accord while it is read. One broker for all of it: starting takes longest. */
describe.concurrent.each(BROKER_VERSIONS)("a broker of its own, %s", (version) => {
  test("keeps what was held over a restart, and takes back what is held too long", async () => {
    await using broker = await startBroker({ version, configLines: ["consumer_timeout = 2000"] });
    // Looks for overdue messages once a minute otherwise.
    await rabbitmqctl(broker, "eval", "application:set_env(rabbit, channel_tick_interval, 500).");
    await using vhost = await freshVhost(broker);
    for (const type of ["classic", "quorum"] as const) {
      await declareQueue(vhost, type, type, argumentsFor(broker, type));
      await fill(vhost, type, 500);
    }
    await holdTooLong(vhost);
    // Never read before: what is cut off in the middle of a later reading goes behind the rest.
    await declareQueue(vhost, "fresh", "quorum", argumentsFor(broker, "quorum"));
    await fill(vhost, "fresh", 500);
    await settle(broker);
    await holdOverRestart(vhost, () => restartBroker(broker));
    for (const queue of ["classic", "quorum", "fresh"]) {
      await untilReady(vhost, queue, 500);
      expect((await drain(vhost, queue)).map(numberOf)).toEqual(upTo(500));
    }
  });
});

async function holdTooLong(vhost: LabVhost): Promise<void> {
  const { broker } = vhost;
  for (const type of ["classic", "quorum"] as const) {
    await using cursor = await openCursor(vhost, type, plainRecipe(broker, type), { hold: "until-settled" });
    expect(await readAll(cursor)).toHaveLength(500);
    // On 4.3 classic queues have no such limit any more, and consumers of quorum queues ask for a longer one.
    const kept = broker.version === "4.3";
    await (kept ? delay(5000) : until("taken back", () => cursor.releasedAt !== null));
    expect(cursor.releasedAt === null).toBe(kept);
    const end = cursor.settle(kept ? "requeue" : "consume").then(() => "settled", codeOf);
    expect(await end).toBe(kept ? "settled" : "BROKER_LOST");
    await untilReady(vhost, type, 500);
  }
}

async function holdOverRestart(vhost: LabVhost, restart: () => Promise<void>): Promise<void> {
  const recipe = (type: "classic" | "quorum") => plainRecipe(vhost.broker, type);
  await using classic = await openCursor(vhost, "classic", recipe("classic"), { hold: "until-settled" });
  expect(await readAll(classic)).toHaveLength(500);
  const reading = readQueue(vhost, "fresh", recipe("quorum"), {
    hold: "until-settled",
    averageBodyBytes: 640 * 1024,
    during: async (seen) => {
      if (seen >= 200 && classic.releasedAt === null) await restart();
    },
  });
  const read = await reading;
  expect(read.gaps).toMatchObject([{ code: "BROKER_LOST", messages: 500 - read.messages.length }]);
  expect(read.messages.map(numberOf)).toEqual(upTo(read.messages.length));
  await expect(classic.settle("consume")).rejects.toMatchObject({ code: "BROKER_LOST" });
}

function codeOf(error: unknown): string {
  return error instanceof BackupError ? error.code : String(error);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
