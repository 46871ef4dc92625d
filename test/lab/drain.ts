import type { ConsumeMessage, GetMessage, MessageProperties } from "amqplib";
import { openChannel, type LabChannel } from "./channel.ts";
import { readyOn } from "./queues.ts";
import { watchRawProperties } from "./raw-properties.ts";
import { until } from "./until.ts";
import type { LabVhost } from "./vhost.ts";

/** One message as the broker delivered it. */
export interface Drained {
  readonly body: Buffer;
  readonly properties: MessageProperties;
  /** Property flags and list as they were on the wire, with what the broker added. */
  readonly rawProperties: Buffer;
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
}

type Delivery = Omit<Drained, "rawProperties">;

/**
 * Takes every ready message out of a classic or quorum queue, in order, and resolves with them. The queue is empty
 * afterwards: the end is the broker's own word, not a pause. Messages another consumer holds are not included.
 */
export async function drain(vhost: LabVhost, queue: string): Promise<Drained[]> {
  const drained = await takeOne(vhost, queue);
  if (drained.length === 0) return drained;
  drained.push(...(await takeReady(vhost, queue)));
  for (;;) {
    const late = await takeOne(vhost, queue); // was on its way when the consumer ended, which put it back
    if (late.length === 0) return drained;
    drained.push(...late);
  }
}

/** One message or none. Unlike the counters, which say 0 while a quorum queue elects its leader, a get is exact. */
async function takeOne(vhost: LabVhost, queue: string): Promise<Drained[]> {
  await using lane = await openChannel(vhost.url);
  const raw = watchRawProperties(lane.connection);
  const message = await lane.channel.get(queue, { noAck: true });
  return message === false ? [] : joined([deliveryOf(message)], raw);
}

/** What a consumer gets until the queue says twice that nothing is ready, with nothing arriving in between. */
async function takeReady(vhost: LabVhost, queue: string): Promise<Drained[]> {
  await using lane = await openChannel(vhost.url);
  const raw = watchRawProperties(lane.connection);
  const deliveries: Delivery[] = [];
  await lane.channel.prefetch(PREFETCH);
  await consume(lane, queue, {}, (message) => {
    deliveries.push(deliveryOf(message));
    // Few acknowledgements: 3.10 keeps back those a quorum queue cannot take at once, and loses them with the channel.
    if (deliveries.length % ACK_EVERY === 0) lane.channel.ack(message, true);
  });
  const isEmpty = async (): Promise<boolean> => (await readyOn(lane.channel, queue)) === 0;
  const isQuiet = async (): Promise<boolean> => {
    const before = deliveries.length;
    return (await isEmpty()) && (await isEmpty()) && deliveries.length === before;
  };
  await until(`${queue} empty`, isQuiet, { timeoutMs: 120_000, everyMs: 5 });
  lane.channel.ackAll();
  await isEmpty(); // answered behind the acknowledgement
  return joined(deliveries, raw);
}

/** Reads a stream from its first message to the last one there now, in order; nothing is removed. */
export async function drainStream(vhost: LabVhost, queue: string): Promise<Drained[]> {
  const last = await lastOffset(vhost, queue);
  if (last === undefined) return [];
  await using lane = await openChannel(vhost.url);
  const raw = watchRawProperties(lane.connection);
  const deliveries: Delivery[] = [];
  await lane.channel.prefetch(PREFETCH);
  await consume(lane, queue, { "x-stream-offset": "first" }, (message) => {
    deliveries.push(deliveryOf(message));
    lane.channel.ack(message);
  });
  await until(`offset ${last} of ${queue}`, () => offsetOf(deliveries.at(-1)) >= last, {
    timeoutMs: 120_000,
  });
  return joined(deliveries, raw).filter((message) => offsetOf(message) <= last);
}

/**
 * Offset of the newest message, or `undefined` in an empty stream. The broker delivers the last chunk as a whole before
 * it answers the next question on the channel; the counters of a stream come too late to be asked.
 */
async function lastOffset(vhost: LabVhost, queue: string): Promise<number | undefined> {
  await using lane = await openChannel(vhost.url);
  let last: number | undefined;
  await lane.channel.prefetch(PREFETCH);
  await consume(lane, queue, { "x-stream-offset": "last" }, (message) => {
    last = Math.max(last ?? 0, offsetOf(deliveryOf(message)));
  });
  for (let i = 0; i < 3; i++) await readyOn(lane.channel, queue);
  return last;
}

const PREFETCH = 10_000;
const ACK_EVERY = 2000;

async function consume(
  lane: LabChannel,
  queue: string,
  args: Readonly<Record<string, unknown>>,
  take: (message: ConsumeMessage) => void,
): Promise<void> {
  const onMessage = (message: ConsumeMessage | null): void => {
    if (message !== null) take(message);
  };
  await lane.channel.consume(queue, onMessage, { arguments: args });
}

function deliveryOf(message: ConsumeMessage | GetMessage): Delivery {
  const { exchange, routingKey, redelivered } = message.fields;
  return { body: message.content, properties: message.properties, exchange, routingKey, redelivered };
}

function offsetOf(delivery: Delivery | undefined): number {
  return Number(delivery?.properties.headers?.["x-stream-offset"] ?? -1);
}

function joined(deliveries: readonly Delivery[], raw: readonly Buffer[]): Drained[] {
  if (deliveries.length !== raw.length)
    throw new Error(`${raw.length} property sections, ${deliveries.length} messages`);
  return deliveries.map((delivery, i) => ({ ...delivery, rawProperties: raw[i] ?? Buffer.alloc(0) }));
}
