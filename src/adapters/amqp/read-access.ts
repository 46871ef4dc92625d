import type { BackupError } from "../../domain/errors.ts";
import type { QueueAddress } from "../../domain/queue.ts";
import { REPLY, replyCode } from "./amqp-errors.ts";
import type { AmqpConnection } from "./connection.ts";
import { queueError } from "./queue-error.ts";

/**
 * Whether a queue may be read, found out without reading it: a consumer with an argument that cannot be is refused for want of
 * permission first (403), and for the argument (406) only then. No consumer comes to be, on no type of queue; tried on 3.10, 4.0
 * and 4.3. null: it may be read.
 */
export async function readRefusal(
  connection: AmqpConnection,
  queue: QueueAddress,
): Promise<BackupError | null> {
  // A refusal closes the channel, so each question has its own.
  const channel = await connection.openChannel();
  try {
    await channel.checkQueue(queue.name);
    await channel.consume(queue.name, () => undefined, { arguments: { "x-priority": "mqbackup" } });
  } catch (error) {
    if (connection.lost) throw connection.lost;
    return replyCode(error) === REPLY.preconditionFailed ? null : queueError(error, queue, null);
  }
  // A broker that takes it has a consumer now, with nothing to hold: closing ends it.
  await channel.close();
  return null;
}
