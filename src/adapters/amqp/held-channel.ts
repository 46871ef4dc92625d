import type { Channel } from "amqplib";
import { BackupError, hasCode } from "../../domain/errors.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import { brokerText, REPLY, replyCode } from "./amqp-errors.ts";
import type { AmqpConnection } from "./connection.ts";

/** Why a channel ended without our closing it. */
export interface ChannelEnd {
  readonly code: number | null;
  /** The broker's words. */
  readonly text: string;
}

/**
 * The one channel on which messages of a queue are held. Delivery tags live and die with it: when it ends, for whatever reason,
 * the broker has everything back.
 */
export class HeldChannel {
  readonly channel: Channel;
  readonly #queue: QueueAddress;
  #ended: ChannelEnd | null = null;

  constructor(
    connection: AmqpConnection,
    channel: Channel,
    queue: QueueAddress,
    onEnd: (end: ChannelEnd) => void,
  ) {
    this.channel = channel;
    this.#queue = queue;
    const end = (error: unknown) => {
      if (this.#ended) return;
      this.#ended = { code: replyCode(error), text: brokerText(error) };
      onEnd(this.#ended);
    };
    channel.on("error", end);
    connection.onLost(end);
  }

  get ended(): ChannelEnd | null {
    return this.#ended;
  }

  /** Ready messages, exact at this moment. Throws QUEUE_MISSING, QUEUE_REFUSED, QUEUE_BUSY. */
  async ready(): Promise<number> {
    return (await this.count()).messageCount;
  }

  /** Ready messages and consumers. Throws as `ready`. */
  async count(): Promise<{ readonly messageCount: number; readonly consumerCount: number }> {
    return this.call(() => this.channel.checkQueue(this.#queue.name));
  }

  /** Everything unacknowledged on the channel goes back, in bulk: one by one is quadratic on classic queues. */
  requeueAll(): void {
    this.channel.nackAll(true);
  }

  /** Everything up to and with this delivery is removed from the queue. */
  acknowledgeTo(deliveryTag: number): void {
    // amqplib takes a message but uses only its delivery tag.
    const fields = { deliveryTag, redelivered: false, exchange: "", routingKey: "", consumerTag: "" };
    this.channel.ack({ fields, properties: NO_PROPERTIES, content: Buffer.alloc(0) }, true);
  }

  /** Resolves when the broker has closed it, and with that has carried out all that was sent before. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = { code: null, text: "closed" };
    await this.channel.close();
  }

  /** Runs one request; maps a refusal to what it means for a queue. */
  async call<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw queueError(error, this.#queue, this.#ended);
    }
  }
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

/** What a refused request says of a queue. */
export function queueError(error: unknown, queue: QueueAddress, end: ChannelEnd | null): BackupError {
  if (hasCode(error, "INTERRUPTED", "BROKER_LOST")) return error;
  const code = replyCode(error) ?? end?.code ?? null;
  const text = brokerText(error);
  const name = describeQueue(queue);
  switch (code) {
    case REPLY.notFound:
      return new BackupError("QUEUE_MISSING", `${name} does not exist`, {
        hint: "It may have been deleted or renamed; mqbackup check lists what is there.",
        cause: error,
      });
    case REPLY.accessRefused:
      if (text.includes("exclusive use")) {
        return new BackupError("QUEUE_BUSY", `${name} is in exclusive use by another consumer`, {
          hint: "Read it while that consumer is away.",
          cause: error,
        });
      }
      return new BackupError("QUEUE_REFUSED", `${name} may not be read: ${text}`, {
        hint: "The user needs the read permission on it.",
        cause: error,
      });
    case REPLY.resourceLocked:
      return new BackupError("QUEUE_BUSY", `${name} is locked by another connection: ${text}`, {
        hint: "An exclusive queue lives and dies with its connection and cannot be backed up.",
        cause: error,
      });
    default:
      return new BackupError("QUEUE_UNREADABLE", `${name} cannot be read: ${text}`, { cause: error });
  }
}
