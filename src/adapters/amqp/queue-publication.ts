import { Buffer } from "node:buffer";
import { BackupError } from "../../domain/errors.ts";
import { hasHeader } from "../../domain/property-section.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import type { Route } from "../../domain/restore-request.ts";
import type { OutgoingMessage, PublicationOptions, QueuePublication } from "../../ports/queue-writer.ts";
import { AlarmWatch } from "./alarm-watch.ts";
import { ConfirmPublisher, type PublishLimits } from "./confirm-publisher.ts";
import { openConnection, type AmqpConnection, type AmqpEndpoint } from "./connection.ts";
import type { PublishedMessage } from "./publish-frames.ts";
import { lockQueue } from "./queue-lock.ts";
import {
  mayPublishByDefaultExchange,
  openTemporaryExchange,
  type TemporaryExchange,
} from "./temporary-exchange.ts";

export interface PublicationContext {
  /** For declarations; never blocked. */
  readonly connection: AmqpConnection;
  readonly endpoint: AmqpEndpoint;
  readonly limits: PublishLimits;
}

/** Throws QUEUE_LOCKED, QUEUE_MISSING, PUBLISH_REFUSED and what connecting throws. */
export async function openPublication(
  context: PublicationContext,
  queue: QueueAddress,
  route: Route,
  options: PublicationOptions,
): Promise<QueuePublication> {
  const connection = await openConnection(context.endpoint, options);
  const alarm = new AlarmWatch(connection, context.limits.alarmMs, options.onBlocked ?? (() => undefined));
  let exchange: TemporaryExchange | null = null;
  try {
    const unprotected = !(await lockQueue(connection, queue));
    if (route === "fanout") exchange = await openTemporaryExchange(context.connection, queue);
    const address = await alarm.outlast(addressing(connection, queue, route, exchange));
    const destination = route === "origin" ? `the origins of ${describeQueue(queue)}` : describeQueue(queue);
    const publisher = await ConfirmPublisher.open(connection, { limits: context.limits, destination, alarm });
    return new Publication({ connection, alarm, exchange, publisher, address, unprotected });
  } catch (error) {
    await exchange?.remove();
    await leave(connection, alarm.blocked);
    alarm.stop();
    throw error;
  }
}

/** Without a farewell when the broker would not hear it, or what still waits in the socket must not be sent. */
async function leave(connection: AmqpConnection, atOnce: boolean): Promise<void> {
  const closed = connection[Symbol.asyncDispose]();
  if (atOnce) connection.raw.stream.destroy();
  await closed;
}

interface Parts {
  readonly connection: AmqpConnection;
  readonly alarm: AlarmWatch;
  readonly exchange: TemporaryExchange | null;
  readonly publisher: ConfirmPublisher;
  readonly address: (message: OutgoingMessage) => PublishedMessage;
  readonly unprotected: boolean;
}

class Publication implements QueuePublication {
  readonly #parts: Parts;
  #disposed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get confirmed(): number {
    return this.#parts.publisher.confirmed;
  }

  get confirmLatency(): QueuePublication["confirmLatency"] {
    return this.#parts.publisher.confirmLatency;
  }

  get unprotected(): boolean {
    return this.#parts.unprotected;
  }

  async publish(messages: readonly OutgoingMessage[], options: PublicationOptions = {}): Promise<void> {
    const { publisher, address } = this.#parts;
    await publisher.publish(addressed(messages, address), options);
  }

  async flush(options: PublicationOptions = {}): Promise<void> {
    await this.#parts.publisher.flush(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    const { connection, alarm, exchange, publisher } = this.#parts;
    publisher.stop();
    await exchange?.remove();
    await leave(connection, alarm.blocked || publisher.inFlight > 0);
    alarm.stop();
  }
}

function* addressed(
  messages: readonly OutgoingMessage[],
  address: (message: OutgoingMessage) => PublishedMessage,
): Generator<PublishedMessage, void, undefined> {
  for (const message of messages) yield address(message);
}

async function addressing(
  connection: AmqpConnection,
  queue: QueueAddress,
  route: Route,
  exchange: TemporaryExchange | null,
): Promise<(message: OutgoingMessage) => PublishedMessage> {
  const defaultExchange = new Uint8Array(0);
  const queueName = Buffer.from(queue.name, "utf8");
  if (queueName.length > 255)
    throw new BackupError("INTERNAL", `${describeQueue(queue)} has too long a name`);
  switch (route) {
    case "origin":
      return (message) => message;
    case "default":
      return (message) => ({ ...message, exchange: defaultExchange, routingKey: queueName });
    case "fanout": {
      const fanout = Buffer.from(exchange?.name ?? "", "utf8");
      // What came by the default exchange can go by it again and then is the same to the last byte.
      const exact = await mayPublishByDefaultExchange(connection);
      return (message) =>
        exact && message.exchange.length === 0 && queueName.equals(message.routingKey) && !isCopied(message)
          ? message
          : { ...message, exchange: fanout };
    }
  }
}

function isCopied(message: OutgoingMessage): boolean {
  return hasHeader(message.properties, "CC") || hasHeader(message.properties, "BCC");
}
