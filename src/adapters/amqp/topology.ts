import type { Channel } from "amqplib";
import type { BindingDefinition, ExchangeDefinition } from "../../domain/definitions.ts";
import { BackupError } from "../../domain/errors.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import type { QueueDeclaration } from "../../domain/restore-plan.ts";
import { brokerText, REPLY, replyCode } from "./amqp-errors.ts";
import type { AmqpConnection } from "./connection.ts";

/** Ready messages and consumers; null: no such queue. Throws QUEUE_REFUSED, QUEUE_BUSY. */
export async function inspectQueue(
  connection: AmqpConnection,
  queue: QueueAddress,
): Promise<{ readonly ready: number; readonly consumers: number } | null> {
  try {
    const told = await onChannel(connection, (channel) => channel.checkQueue(queue.name));
    return { ready: told.messageCount, consumers: told.consumerCount };
  } catch (error) {
    switch (replyCode(error)) {
      case REPLY.notFound:
        return null;
      case REPLY.accessRefused:
        throw new BackupError(
          "QUEUE_REFUSED",
          `${describeQueue(queue)} may not be looked at: ${brokerText(error)}`,
          {
            hint: "The user needs a permission (configure, write or read) on the queue.",
            cause: error,
          },
        );
      case REPLY.resourceLocked:
        throw new BackupError("QUEUE_BUSY", `${describeQueue(queue)} is exclusive to another connection`, {
          hint: "Such a queue ends with that connection; restore into another one with --map.",
          cause: error,
        });
      default:
        throw error;
    }
  }
}

/** Throws RESTORE_REFUSED. */
export async function declareQueue(connection: AmqpConnection, queue: QueueDeclaration): Promise<void> {
  const { durable, autoDelete } = queue;
  await declared(describeQueue(queue), () =>
    onChannel(connection, (channel) =>
      channel.assertQueue(queue.name, { durable, autoDelete, arguments: queue.arguments }),
    ),
  );
}

/** False: it exists, however it is. Throws RESTORE_REFUSED. */
export async function declareExchange(
  connection: AmqpConnection,
  exchange: ExchangeDefinition,
): Promise<boolean> {
  const what = `exchange ${exchange.name}`;
  if (await declared(what, () => exchangeExists(connection, exchange.name))) return false;
  const { durable, autoDelete, internal } = exchange;
  const options = { durable, autoDelete, internal, arguments: exchange.arguments };
  await declared(what, () =>
    onChannel(connection, (channel) => channel.assertExchange(exchange.name, exchange.type, options)),
  );
  return true;
}

/** Throws RESTORE_REFUSED. */
export async function declareBinding(connection: AmqpConnection, binding: BindingDefinition): Promise<void> {
  const { source, destination, destinationType, routingKey, arguments: details } = binding;
  await declared(`binding from exchange ${source} to ${destinationType} ${destination}`, () =>
    onChannel(connection, async (channel) => {
      if (destinationType === "queue") await channel.bindQueue(destination, source, routingKey, details);
      else await channel.bindExchange(destination, source, routingKey, details);
    }),
  );
}

/** A channel for one question: a refusal closes it. Throws what amqplib throws, or BROKER_LOST. */
export async function onChannel<T>(
  connection: AmqpConnection,
  ask: (channel: Channel) => Promise<T>,
): Promise<T> {
  const channel = await connection.openChannel();
  try {
    const answer = await ask(channel);
    await channel.close();
    return answer;
  } catch (error) {
    throw connection.lost ?? error;
  }
}

async function exchangeExists(connection: AmqpConnection, name: string): Promise<boolean> {
  try {
    await onChannel(connection, (channel) => channel.checkExchange(name));
    return true;
  } catch (error) {
    if (replyCode(error) === REPLY.notFound) return false;
    throw error;
  }
}

async function declared<T>(what: string, declare: () => Promise<T>): Promise<T> {
  try {
    return await declare();
  } catch (error) {
    if (error instanceof BackupError) throw error;
    throw new BackupError("RESTORE_REFUSED", `${what} cannot be declared: ${brokerText(error)}`, {
      hint:
        replyCode(error) === REPLY.accessRefused
          ? "The user needs the permission to configure it; or declare it yourself and use --definitions none."
          : "Declare it yourself the way this broker takes it, then restore into it.",
      cause: error,
    });
  }
}
