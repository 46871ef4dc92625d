import { describe, expect, test } from "vitest";
import type { Broker } from "../lab/brokers.ts";
import { drain } from "../lab/drain.ts";
import { fill, numberOf } from "../lab/publish.ts";
import { declareQueue, readyCount, type QueueType } from "../lab/queues.ts";
import { newScene, type Scene } from "../lab/scene.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { until } from "../lab/until.ts";

/** Kills in each case; the moments are spread over the whole run. */
const KILLS = 20;
const MESSAGES = 400;

/** What a drain says of itself, in order; a kill comes some milliseconds after one of them, or before all. */
const EVENTS = [
  "surveyed",
  "begun",
  "queue-begun",
  "queue-finished",
  "volume-shipped",
  "committed",
  "queue-drained",
];

const CASES = sharedBrokers()
  .filter(({ version }) => version !== "4.0")
  .flatMap((broker) =>
    (["classic", "quorum"] as const).map((type) => ({ broker, type, version: broker.version })),
  );

describe.each(CASES)("$version $type", ({ broker, type }) => {
  test(`a drain that is killed ${KILLS} times: every message is on the queue or in a backup`, async () => {
    await using scene = await newScene(broker);
    await declareQueue(scene.vhost, "q", type);
    let published = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const ready = await settledCount(scene, broker, type);
      published += (await fill(scene.vhost, "q", MESSAGES - ready, { from: published })).length;
      await drainKilled(scene, kill);
    }
    await settledCount(scene, broker, type);
    const onQueue = (await drain(scene.vhost, "q")).map(numberOf);
    expect(onQueue, "order on the queue").toEqual(onQueue.toSorted((a, b) => a - b));
    const backedUp = await numbersInBackups(scene);
    const known = new Set([...onQueue, ...backedUp]);
    const lost = Array.from({ length: published }, (_, n) => n).filter((n) => !known.has(n));
    expect(lost).toEqual([]);
    // The kills came at moments that differ: some before the commit, some after the removal.
    expect((await scene.committed()).length).toBeLessThan(KILLS);
    expect(published).toBeGreaterThan(MESSAGES);

    // A whole run puts things in order: what the killed ones left is no backup, and their spools go. The broker's statistics may
    // still show as in flight what the last one held.
    await fill(scene.vhost, "q", 10, { from: published });
    expect(await scene.run(["full", "--drain", "--accept", "in-flight"])).toMatchObject({ status: 0 });
    expect(await readyCount(scene.vhost, "q")).toBe(0);
    expect(await scene.run(["verify", "--records"])).toMatchObject({ status: 0 });
    expect((await scene.halfDone()).filter((file) => !file.startsWith("backups/"))).toEqual([]);
    expect(await scene.own()).toEqual([]);
  });
});

/** Each kill at another moment: after another event, and sooner or later after it. */
async function drainKilled(scene: Scene, kill: number): Promise<void> {
  await using running = await scene.start(["full", "--drain", "--json"]);
  const event = EVENTS[kill % (EVENTS.length + 1)];
  const delayMs = Math.floor(kill / (EVENTS.length + 1)) * 7;
  if (event !== undefined) await running.output(new RegExp(`"event":"${event}"`)).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  running.kill("SIGKILL");
  await running.result;
}

/** When the broker has noticed that the reader is gone, all it held is back. */
async function settledCount(scene: Scene, broker: Broker, type: QueueType): Promise<number> {
  await until(`${type} queue of ${broker.version} at rest`, async () => (await scene.own()).length === 0);
  let last = -1;
  return until("a count that stays", async () => {
    const before = last;
    last = await readyCount(scene.vhost, "q");
    return last === before ? { last } : null;
  }).then((counted) => counted.last);
}

async function numbersInBackups(scene: Scene): Promise<number[]> {
  const numbers: number[] = [];
  for (const id of await scene.committed()) {
    const { status, stdout } = await scene.run(["cat", id]);
    expect(status).toBe(0);
    const lines = stdout.split("\n").filter((line) => line !== "");
    numbers.push(
      ...lines.map((line) => numberOf({ body: Buffer.from((JSON.parse(line) as { body: string }).body) })),
    );
  }
  return numbers;
}
