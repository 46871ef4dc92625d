import type { QueueEntry } from "./manifest.ts";

/** What takes messages from a queue, or keeps the broker from giving them out in the order they came in. */
const MOVING_ARGUMENTS: ReadonlySet<string> = new Set([
  "x-message-ttl",
  "x-expires",
  "x-max-length",
  "x-max-length-bytes",
  "x-max-age",
  "x-overflow",
  "x-dead-letter-exchange",
  "x-dead-letter-routing-key",
  "x-dead-letter-strategy",
  "x-delivery-limit",
  "x-delayed-retry-type",
  "x-delayed-retry-min",
  "x-delayed-retry-max",
  "x-max-priority",
]);

/**
 * The queue as it has to be declared so that all that is put into it stays, in order, until it is read: of its type and with its
 * other arguments. Its policies are those of another virtual host. What a backup made without the management API cannot tell is
 * taken for what most queues have.
 */
export function lastingQueue(source: QueueEntry): QueueEntry {
  return {
    ...source,
    durable: source.durable ?? true,
    autoDelete: false,
    arguments: Object.fromEntries(
      Object.entries(source.arguments).filter(([name]) => !MOVING_ARGUMENTS.has(name)),
    ),
    policy: null,
    effectivePolicy: {},
  };
}
