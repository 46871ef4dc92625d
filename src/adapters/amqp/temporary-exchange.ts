import { createHash, randomUUID } from "node:crypto";
import { BackupError } from "../../domain/errors.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import { brokerText, REPLY, replyCode } from "./amqp-errors.ts";
import type { AmqpConnection } from "./connection.ts";
import { onChannel } from "./topology.ts";

/** A fanout exchange that leads to one queue and nowhere else. */
export interface TemporaryExchange {
  readonly name: string;
  /** Best effort: what cannot be removed now is removed by the next restore into the queue. */
  remove(): Promise<void>;
}

/**
 * The name is made from the queue's, not at random: nothing at the broker ends an exchange together with the connection that declared
 * it, so a killed restore leaves its exchange behind, and by the name the next restore into the same queue finds and removes it. It
 * also goes with the queue (auto-delete: the queue's binding is its only one) and with a restart of the broker (not durable). Until
 * then it does nothing: nobody publishes to it.
 */
export function temporaryExchangeName(queue: QueueAddress): string {
  const hash = createHash("sha256").update(queue.vhost).update("\0").update(queue.name).digest("hex");
  return `mqbackup.restore.${hash.slice(0, 32)}`;
}

/** A broker that does not answer must not hold up the end of a run. */
const REMOVE_WITHIN_MS = 2000;

/** The caller holds the queue's lock where it can be had. Throws QUEUE_MISSING, PUBLISH_REFUSED. */
export async function openTemporaryExchange(
  connection: AmqpConnection,
  queue: QueueAddress,
): Promise<TemporaryExchange> {
  const name = temporaryExchangeName(queue);
  const remove = (): Promise<unknown> => onChannel(connection, (channel) => channel.deleteExchange(name));
  try {
    // One left behind may have got bindings since.
    await remove();
    await onChannel(connection, async (channel) => {
      await channel.assertExchange(name, "fanout", { durable: false, autoDelete: true });
      await channel.bindQueue(queue.name, name, "");
    });
  } catch (error) {
    await remove().catch(() => undefined);
    throw openError(error, name, queue);
  }
  return {
    name,
    async remove() {
      let timer: NodeJS.Timeout | undefined;
      const enough = new Promise<void>((resolve) => (timer = setTimeout(resolve, REMOVE_WITHIN_MS)));
      await Promise.race([remove().catch(() => undefined), enough]);
      clearTimeout(timer);
    },
  };
}

function openError(error: unknown, name: string, queue: QueueAddress): unknown {
  const text = brokerText(error);
  if (replyCode(error) === REPLY.notFound) {
    return new BackupError("QUEUE_MISSING", `${describeQueue(queue)} is gone: ${text}`, { cause: error });
  }
  if (replyCode(error) !== REPLY.accessRefused) return error;
  return new BackupError("PUBLISH_REFUSED", `the temporary exchange ${name} may not be used: ${text}`, {
    hint: "Give the user configure, write and read on ^mqbackup\\. and write on the queue, or restore with --route default.",
    cause: error,
  });
}

/**
 * Whether the user may publish to the default exchange. The broker looks at that before it routes, so a message for a queue that does
 * not exist answers the question: it comes back, or the channel is closed.
 */
export async function mayPublishByDefaultExchange(connection: AmqpConnection): Promise<boolean> {
  try {
    await onChannel(connection, async (channel) => {
      channel.publish("", `mqbackup.nowhere.${randomUUID()}`, Buffer.alloc(0), { mandatory: true });
      // Exists everywhere and needs no permission; answered in order, behind the message.
      await channel.checkExchange("amq.fanout");
    });
    return true;
  } catch (error) {
    if (replyCode(error) === REPLY.accessRefused) return false;
    throw error;
  }
}
