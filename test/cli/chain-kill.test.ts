import { describe, expect, test } from "vitest";
import { openChannel } from "../lab/channel.ts";
import { fill, numberOf } from "../lab/publish.ts";
import { declareQueue, readyCount, type QueueType } from "../lab/queues.ts";
import { newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { until } from "../lab/until.ts";

/** Runs in each case; about three of four are killed. */
const RUNS = 16;

/** What a run says of itself, in order; a kill comes some milliseconds after one of them. */
const EVENTS = ["surveyed", "begun", "queue-begun", "queue-finished", "volume-shipped", "committed"];

describe.each(["classic", "quorum", "stream"] as const)("%s", (type) => {
  test(`a chain of runs of which many are killed: every listed backup holds what the queue held`, async () => {
    await using scene = await newScene(newestBroker());
    await declareQueue(scene.vhost, "q", type);
    const queue = new NumberedQueue(scene, type);
    await queue.publish(300);
    const truth = new Map<string, readonly number[]>();
    for (let nth = 0; nth < RUNS; nth += 1) {
      await queue.settled();
      await (nth % 4 === 0 ? run(scene, nth) : killed(scene, nth));
      // Whether it was killed before its commit or behind it: while it ran nothing else touched the queue.
      for (const id of await scene.committed()) if (!truth.has(id)) truth.set(id, [...queue.numbers]);
      await queue.settled();
      await queue.consume((nth * 7) % 23);
      await queue.publish((nth * 5) % 17);
    }
    expect(truth.size).toBeGreaterThanOrEqual(RUNS / 4);
    for (const [id, numbers] of truth)
      expect({ id, numbers: await numbersOf(scene, id) }).toEqual({ id, numbers });
    expect(await scene.run(["verify"])).toMatchObject({ status: 0 });
    // Nothing a killed run left hinders the next.
    expect(await scene.run(["incremental", "--accept", "in-flight"])).toMatchObject({ status: 0 });
    expect(await numbersOf(scene, "latest")).toEqual(queue.numbers);
    expect(await scene.own()).toEqual([]);
  });
});

/** Its content is known without asking the program. */
class NumberedQueue {
  numbers: readonly number[] = [];
  readonly #scene: Scene;
  readonly #type: QueueType;
  #next = 0;

  constructor(scene: Scene, type: QueueType) {
    this.#scene = scene;
    this.#type = type;
  }

  async publish(count: number): Promise<void> {
    const published = await fill(this.#scene.vhost, "q", count, { from: this.#next });
    this.numbers = [...this.numbers, ...published.map(numberOf)];
    this.#next += count;
  }

  /** From the head; a stream forgets nothing here. */
  async consume(count: number): Promise<void> {
    if (this.#type === "stream") return;
    await using lane = await openChannel(this.#scene.vhost.url);
    for (let at = 0; at < count; at += 1) await lane.channel.get("q", { noAck: true });
    this.numbers = this.numbers.slice(count);
  }

  /** The broker has noticed that a killed reader is gone, and has put back what it held. */
  async settled(): Promise<void> {
    await until("nothing of the reader left", async () => (await this.#scene.own()).length === 0);
    if (this.#type === "stream") return;
    const isWhole = async (): Promise<boolean> =>
      (await readyCount(this.#scene.vhost, "q")) === this.numbers.length;
    await until("everything ready", isWhole);
  }
}

async function run(scene: Scene, nth: number): Promise<void> {
  const result = await scene.run([nth === 0 ? "full" : "incremental", "--accept", "in-flight"]);
  expect(result).toMatchObject({ status: 0 });
}

/** Each at another moment: after another event, and sooner or later after it. */
async function killed(scene: Scene, nth: number): Promise<void> {
  await using running = await scene.start(["incremental", "--accept", "in-flight", "--json"]);
  const event = EVENTS[nth % EVENTS.length];
  await running.output(new RegExp(`"event":"${event}"`)).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, (nth % 5) * 3));
  running.kill("SIGKILL");
  await running.result;
}

async function numbersOf(scene: Scene, id: string): Promise<number[]> {
  const { status, stdout } = await scene.run(["cat", id]);
  expect(status).toBe(0);
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => numberOf({ body: Buffer.from((JSON.parse(line) as { body: string }).body) }));
}
