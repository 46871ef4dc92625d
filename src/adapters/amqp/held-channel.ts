import type { Channel } from "amqplib";
import type { QueueAddress } from "../../domain/queue.ts";
import type { AmqpConnection } from "./connection.ts";
import { channelEnd, queueError, type ChannelEnd } from "./queue-error.ts";
import { channelNumber } from "./raw-connection.ts";

/** What the broker does to a held channel of its own accord. Either way it has everything back. */
export interface ChannelWatcher {
  /** The channel or the connection ended. */
  ended(end: ChannelEnd): void;
  /** A consumer was cancelled. */
  cancelled(): void;
}

export interface QueueCount {
  readonly ready: number;
  readonly consumers: number;
}

/**
 * The one channel on which messages of a queue are held. Delivery tags live and die with it: when it ends, for whatever reason,
 * the broker has everything back.
 */
export class HeldChannel {
  readonly number: number;
  readonly #channel: Channel;
  readonly #queue: QueueAddress;
  #watcher: ChannelWatcher | null = null;
  #ended: ChannelEnd | null = null;
  #closed = false;
  #cancelled = false;

  static async open(connection: AmqpConnection, queue: QueueAddress): Promise<HeldChannel> {
    return new HeldChannel(connection, await connection.openChannel(), queue);
  }

  private constructor(connection: AmqpConnection, channel: Channel, queue: QueueAddress) {
    this.#channel = channel;
    this.#queue = queue;
    this.number = channelNumber(channel);
    const end = (error: unknown) => {
      if (this.gone) return;
      this.#ended = channelEnd(error);
      this.#watcher?.ended(this.#ended);
    };
    channel.on("error", end);
    connection.onLost(end);
  }

  /** True: closed by us or ended by others, nothing is held any more. */
  get gone(): boolean {
    return this.#closed || this.#ended !== null;
  }

  /** Why it ended without our closing it; null: it did not. */
  get ended(): ChannelEnd | null {
    return this.#ended;
  }

  /** Told at once what has happened already. */
  watch(watcher: ChannelWatcher): void {
    this.#watcher = watcher;
    if (this.#ended) watcher.ended(this.#ended);
    else if (this.#cancelled) watcher.cancelled();
  }

  /** Passive declare. Throws QUEUE_MISSING, QUEUE_REFUSED, QUEUE_BUSY. Of a quorum queue: see quorum-count.ts. */
  async count(): Promise<QueueCount> {
    const { messageCount, consumerCount } = await this.#call(() =>
      this.#channel.checkQueue(this.#queue.name),
    );
    return { ready: messageCount, consumers: consumerCount };
  }

  /** Adds a consumer without automatic acknowledgement; its deliveries go to the tap. Throws as `count`. */
  async consume(tag: string, prefetch: number, details: Readonly<Record<string, unknown>>): Promise<void> {
    const onMessage = (message: object | null): void => {
      if (message !== null) return;
      this.#cancelled = true;
      this.#watcher?.cancelled();
    };
    await this.#call(async () => {
      await this.#channel.prefetch(prefetch);
      await this.#channel.consume(this.#queue.name, onMessage, {
        consumerTag: tag,
        arguments: { ...details },
      });
    });
  }

  /** Ends a consumer; what it holds stays held. A quorum queue may still have deliveries on their way. */
  async cancel(tag: string): Promise<void> {
    await this.#call(() => this.#channel.cancel(tag));
  }

  /** All held up to and with this delivery goes back, in bulk: one by one is quadratic on classic queues. 0: all. */
  requeueTo(deliveryTag: number): void {
    this.#channel.nack(delivered(deliveryTag), true, true);
  }

  /** All held up to and with this delivery is removed from the queue. */
  acknowledgeTo(deliveryTag: number): void {
    this.#channel.ack(delivered(deliveryTag), true);
  }

  /** Resolves when the broker has closed it, and with that has carried out all that was sent before; or when it is gone anyway. */
  async close(): Promise<void> {
    if (this.gone) return;
    this.#closed = true;
    // amqplib's own promise never settles when the connection is cut in between.
    const closed = new Promise<void>((resolve) => this.#channel.once("close", resolve));
    await Promise.race([this.#channel.close().catch(() => undefined), closed]);
  }

  /** Runs one request; maps a refusal to what it means for a queue. */
  async #call<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw queueError(error, this.#queue, this.#ended);
    }
  }
}

/** amqplib takes a message to settle but uses only its delivery tag. */
function delivered(deliveryTag: number): Parameters<Channel["ack"]>[0] {
  const fields = { deliveryTag, redelivered: false, exchange: "", routingKey: "", consumerTag: "" };
  return { fields, properties: NO_PROPERTIES, content: Buffer.alloc(0) };
}

const NO_PROPERTIES = {
  contentType: undefined,
  contentEncoding: undefined,
  headers: undefined,
  deliveryMode: undefined,
  priority: undefined,
  correlationId: undefined,
  replyTo: undefined,
  expiration: undefined,
  messageId: undefined,
  timestamp: undefined,
  type: undefined,
  userId: undefined,
  appId: undefined,
  clusterId: undefined,
};
