import type { HeldChannel, QueueCount } from "./held-channel.ts";

/**
 * A passive declare asks the leader of a quorum queue and says "no messages, no consumers" when that does not answer within 250 ms,
 * or when there is no leader (`rabbit_quorum_queue:stat`, 3.10 to 4.3). So that answer alone never means that a queue is empty.
 * Consumers of ours count, cancelled ones too as long as they hold something: while there is one, 0 consumers is no answer.
 */
const LEADER_MS = 200;
const ASK_AGAIN_MS = 20;

type Counted = Pick<HeldChannel, "count">;

/** null: the broker did not know. Only while something of ours is attached or held. */
export async function countWhileHeld(held: Counted): Promise<QueueCount | null> {
  const count = await held.count();
  return count.consumers === 0 ? null : count;
}

/** Asks until the answer is one, or `patienceMs` have passed: null. Only while something of ours is attached or held. */
export async function untilCounted(held: Counted, patienceMs: number): Promise<QueueCount | null> {
  return untilShown(
    () => held.count(),
    (count) => count.consumers > 0,
    patienceMs,
  );
}

/**
 * Asks until `shown` is true of an answer, or `patienceMs` have passed: null. An answer of nothing at all counts when it came too
 * fast to be the lack of one; so it may not be asked of a queue that could have no leader.
 */
export async function untilShown(
  ask: () => Promise<QueueCount>,
  shown: (count: QueueCount) => boolean,
  patienceMs: number,
): Promise<QueueCount | null> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const askedAt = Date.now();
    const count = await ask();
    const said = count.ready > 0 || count.consumers > 0 || Date.now() - askedAt < LEADER_MS;
    if (said && shown(count)) return count;
    if (Date.now() > deadline) return null;
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}
