import type { Channel } from "amqplib";
import { openChannel } from "./channel.ts";
import { until, type UntilOptions } from "./until.ts";
import type { LabVhost } from "./vhost.ts";

export const QUEUE_TYPES = ["classic", "quorum", "stream"] as const;
export type QueueType = (typeof QUEUE_TYPES)[number];

/** Declares a durable queue of this type; `args` are its x-arguments, such as `{ "x-max-length": 10 }`. */
export async function declareQueue(
  vhost: LabVhost,
  queue: string,
  type: QueueType,
  args: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await using lane = await openChannel(vhost.url);
  await lane.channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": type, ...args } });
}

export async function deleteQueue(vhost: LabVhost, queue: string): Promise<void> {
  await using lane = await openChannel(vhost.url);
  await lane.channel.deleteQueue(queue);
}

/** Messages ready for delivery, asked of the queue itself and not of statistics. Inexact for streams. */
export async function readyCount(vhost: LabVhost, queue: string): Promise<number> {
  await using lane = await openChannel(vhost.url);
  return await readyOn(lane.channel, queue);
}

/** Resolves when exactly `count` messages are ready. */
export async function untilReady(
  vhost: LabVhost,
  queue: string,
  count: number,
  options?: UntilOptions,
): Promise<void> {
  await using lane = await openChannel(vhost.url);
  await until(
    `${count} messages ready in ${queue}`,
    async () => (await readyOn(lane.channel, queue)) === count,
    options,
  );
}

export async function readyOn(channel: Channel, queue: string): Promise<number> {
  return (await channel.checkQueue(queue)).messageCount;
}
