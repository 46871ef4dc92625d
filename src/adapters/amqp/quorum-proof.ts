import { BackupError } from "../../domain/errors.ts";
import { stripAnnotations } from "../../domain/property-section.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import type { FirstLook, Look } from "./first-look.ts";

/** Other consumers may take the message we look for; then it is tried with the next. */
const TRIES = 5;

/**
 * Proves on one message that giving it back by nack does not count against the delivery limit. The queue's machine version decides
 * that, not the node's, and no API tells it: a node of 4.3 may still run a queue as 4.2 did until all members are upgraded.
 *
 * Only the newer machine adds `x-acquired-count`, so a message that was delivered before proves it at once; else it is given back
 * and must come again with that header. On an older machine this costs that one message one delivery. The message stays held: given
 * back alone it would go behind all others that were given back before (see give-back.ts).
 *
 * The look it ended with, without a message when none came. Throws QUEUE_UNSAFE.
 */
export async function proveNackIsFree(
  look: Pick<FirstLook, "again">,
  taken: Look,
  queue: QueueAddress,
): Promise<Look> {
  let seen = taken;
  // A publisher may have sent such a header: then it must change.
  let before: number | null | undefined;
  let same = 0;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    if (!seen.first) return seen;
    const { redelivered, properties } = seen.first.delivery;
    const { acquiredCount } = stripAnnotations(properties);
    if (redelivered && acquiredCount !== null && acquiredCount !== before) return seen;
    if (redelivered && acquiredCount === before) same += 1;
    if (redelivered && (acquiredCount === null || same > 1)) throw unsafe(queue);
    before = acquiredCount;
    seen = await look.again();
  }
  throw new BackupError(
    "QUEUE_UNSAFE",
    `${describeQueue(queue)}: busy consumers kept every message from being looked at twice`,
    { hint: "Run again at a quieter moment." },
  );
}

function unsafe(queue: QueueAddress): BackupError {
  return new BackupError(
    "QUEUE_UNSAFE",
    `${describeQueue(queue)}: giving messages back counts against its delivery limit, as before RabbitMQ 4.3`,
    {
      hint: "A cluster upgraded to 4.3 runs its queues the old way until every member is upgraded; then run again.",
    },
  );
}
