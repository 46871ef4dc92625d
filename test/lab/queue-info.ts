import type { QueueInfo, QueueType } from "../../src/domain/queue.ts";
import type { ReadingPolicy } from "../../src/domain/reading-recipe.ts";

export const CAREFUL: ReadingPolicy = { keepDeliveries: null, priority: 0, accept: new Set(), drain: false };

/** A queue as the management API would tell it, for planning without asking. */
export function queueInfo(
  vhost: string,
  name: string,
  type: QueueType,
  more: Partial<QueueInfo> = {},
): QueueInfo {
  return {
    vhost,
    name,
    type,
    durable: true,
    autoDelete: false,
    exclusive: false,
    arguments: { "x-queue-type": type },
    policy: null,
    operatorPolicy: null,
    effectivePolicy: {},
    deliveryLimit: null,
    delayedRetry: null,
    counts: { ready: null, unacknowledged: null },
    readyBytes: null,
    outOfReach: null,
    consumers: 0,
    exclusiveConsumer: null,
    state: "running",
    ...more,
  };
}
