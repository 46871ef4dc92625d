/** Where a queue is: virtual host and name. */
export interface QueueAddress {
  readonly vhost: string;
  readonly name: string;
}

/** `other`: a type this version does not know (reading it is refused). `unknown`: nobody could tell (AMQP-only mode). */
export type QueueType = "classic" | "quorum" | "stream" | "other" | "unknown";

export interface MessageCounts {
  /** null: not known, never to be taken for zero. */
  readonly ready: number | null;
  readonly unacknowledged: number | null;
}

/** What the broker says of a queue. Every fact that was not told is null. */
export interface QueueInfo extends QueueAddress {
  readonly type: QueueType;
  readonly durable: boolean | null;
  readonly autoDelete: boolean | null;
  /** Declared exclusive: it belongs to another connection and cannot be read at all. */
  readonly exclusive: boolean | null;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Names of the applied policy and operator policy, and what they amount to together. */
  readonly policy: string | null;
  readonly operatorPolicy: string | null;
  readonly effectivePolicy: Readonly<Record<string, unknown>>;
  /** The broker's own word on the effective delivery limit (4.0 and newer). null: it does not say. */
  readonly deliveryLimit: number | "unlimited" | null;
  /** The 4.3 `delayed_retry` setting, e.g. "disabled", "all", "returned", "failed". null: it does not say. */
  readonly delayedRetry: string | null;
  readonly counts: MessageCounts;
  /** Bytes of the bodies of ready messages. */
  readonly readyBytes: number | null;
  /** Messages no consumer can be given now: delayed for retry, or waiting to be dead-lettered (4.3). */
  readonly outOfReach: number | null;
  readonly consumers: number | null;
  /** A consumer that asked for exclusive use is attached. */
  readonly exclusiveConsumer: boolean | null;
  readonly state: string | null;
}

export interface BrokerInfo {
  readonly product: string;
  /** As the broker says it, e.g. "4.3.6". */
  readonly version: string;
  readonly clusterName: string | null;
}

/** "orders in /" as messages name a queue. */
export function describeQueue(queue: QueueAddress): string {
  return `queue ${queue.name} in virtual host ${queue.vhost}`;
}
