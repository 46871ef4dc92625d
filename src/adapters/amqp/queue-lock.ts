import { createHash } from "node:crypto";
import { BackupError, hasCode } from "../../domain/errors.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import { brokerText, REPLY, replyCode } from "./amqp-errors.ts";
import type { AmqpConnection } from "./connection.ts";

/** The exclusive queue that stands for the right to read `queue`. It vanishes with the connection that declared it. */
function lockName(queue: QueueAddress): string {
  const hash = createHash("sha256").update(queue.vhost).update("\0").update(queue.name).digest("hex");
  return `mqbackup.lock.${hash.slice(0, 32)}`;
}

/** A right that is held until it is given back, or its connection ends. */
export interface QueueLock {
  release(): Promise<void>;
}

/** The lock of a connection that has just gone is still there for a moment. */
const TRIES = 5;
const TRY_AGAIN_MS = 300;

/** The type is named because a virtual host may have another default, and only classic queues can be exclusive. */
const LOCK = {
  exclusive: true,
  durable: false,
  autoDelete: false,
  arguments: { "x-queue-type": "classic" },
} as const;

/**
 * Takes the lock. null: it may not be declared (no configure permission on `mqbackup.lock.*`, or the virtual host's limit of queues
 * is reached), so nothing keeps another run away. Throws QUEUE_LOCKED when another connection has it.
 */
export async function lockQueue(connection: AmqpConnection, queue: QueueAddress): Promise<QueueLock | null> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await tryLock(connection, queue);
    } catch (error) {
      if (!hasCode(error, "QUEUE_LOCKED") || attempt === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
    }
  }
}

async function tryLock(connection: AmqpConnection, queue: QueueAddress): Promise<QueueLock | null> {
  // A refusal closes the channel it came on, so the lock has one of its own.
  const channel = await connection.openChannel();
  const name = lockName(queue);
  try {
    await channel.assertQueue(name, LOCK);
  } catch (error) {
    if (connection.lost) throw connection.lost;
    const code = replyCode(error);
    if (code === REPLY.accessRefused || brokerText(error).includes("queue limit")) return null;
    if (code === REPLY.resourceLocked) {
      throw new BackupError(
        "QUEUE_LOCKED",
        `${describeQueue(queue)} is being read by another run of mqbackup`,
        {
          hint: "Wait for that run to end; the lock goes with its connection.",
          cause: error,
        },
      );
    }
    throw new BackupError(
      "QUEUE_UNREADABLE",
      `${describeQueue(queue)} cannot be locked: ${brokerText(error)}`,
      {
        cause: error,
      },
    );
  }
  return {
    // Without this it would go with the connection, but only after the connection's end has been answered.
    async release() {
      if (!connection.lost) await channel.deleteQueue(name).catch(() => undefined);
    },
  };
}
