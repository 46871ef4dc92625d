import { BackupError } from "../../domain/errors.ts";
import { stripAnnotations } from "../../domain/property-section.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import { consumerTag } from "./delivery-source.ts";
import type { Delivery, DeliverySink, DeliveryTap } from "./delivery-tap.ts";
import type { HeldChannel } from "./held-channel.ts";
import { channelNumber } from "./raw-connection.ts";

/** Other consumers may take the message we look for; then it is tried with the next. */
const TRIES = 5;
const ANSWER_MS = 5000;
const BACK_MS = 1000;

/** The message the proof ended with, still held, and the consumer that holds it. */
export interface Proven {
  readonly first: Delivery;
  readonly consumerTag: string;
}

/**
 * Proves on one message that giving it back by nack does not count against the delivery limit. The queue's machine version decides
 * that, not the node's, and no API tells it: a node of 4.3 may still run a queue as 4.2 did until all members are upgraded.
 *
 * Only the newer machine adds `x-acquired-count`, so a message that was delivered before proves it at once; else it is given back
 * and must come again with that header. On an older machine this costs that one message one delivery. The message stays held: given
 * back alone it would go behind all others that were given back before (see give-back.ts).
 *
 * null: no message came. Throws QUEUE_UNSAFE.
 */
export async function proveNackIsFree(
  held: HeldChannel,
  tap: DeliveryTap,
  queue: QueueAddress,
): Promise<Proven | null> {
  const look = new OneLook();
  tap.listen(channelNumber(held.channel), look);
  await held.call(() => held.channel.prefetch(1));
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const tag = consumerTag(attempt);
    const ready = await held.ready();
    const arrived = look.wait();
    await held.call(() => held.channel.consume(queue.name, () => undefined, { consumerTag: tag }));
    const first = await arrived;
    if (!first) {
      await held.call(() => held.channel.cancel(tag));
      return null;
    }
    if (stripAnnotations(first.properties).acquiredCount !== null) return { first, consumerTag: tag };
    // Redelivered without that header: an older machine.
    if (first.redelivered) throw unsafe(queue);
    await held.call(() => held.channel.cancel(tag));
    held.requeueAll();
    await untilBack(held, ready);
  }
  throw new BackupError(
    "QUEUE_UNSAFE",
    `${describeQueue(queue)}: busy consumers kept every message from being looked at twice`,
    { hint: "Run again at a quieter moment, or accept the cost with --keep-deliveries." },
  );
}

/**
 * A quorum queue takes a nack at once and carries it out later: a consumer attached in between would get the messages behind it
 * first. With consumers of others the count says nothing; then a while must do.
 */
async function untilBack(held: HeldChannel, ready: number): Promise<void> {
  const deadline = Date.now() + BACK_MS;
  for (;;) {
    const { messageCount, consumerCount } = await held.count();
    if ((messageCount >= ready && consumerCount === 0) || Date.now() > deadline) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function unsafe(queue: QueueAddress): BackupError {
  return new BackupError(
    "QUEUE_UNSAFE",
    `${describeQueue(queue)}: giving messages back counts against its delivery limit, as before RabbitMQ 4.3`,
    {
      hint: "A cluster upgraded to 4.3 runs its queues the old way until every member is upgraded; then run again. --keep-deliveries accepts the cost.",
    },
  );
}

class OneLook implements DeliverySink {
  #resolve: ((delivery: Delivery | null) => void) | null = null;

  wait(): Promise<Delivery | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(null), ANSWER_MS);
      this.#resolve = (delivery) => {
        clearTimeout(timer);
        resolve(delivery);
      };
    });
  }

  delivery(delivery: Delivery): void {
    this.#settle(delivery);
  }

  empty(): void {
    this.#settle(null);
  }

  drained(): void {
    // one message is all that is wanted
  }

  #settle(delivery: Delivery | null): void {
    this.#resolve?.(delivery);
    this.#resolve = null;
  }
}
