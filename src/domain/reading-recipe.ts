import type { QueueInfo } from "./queue.ts";

/** How a queue is read and left as it was found. Decided by `planReading`, carried out by a QueueReader. */
export type ReadingRecipe = HoldRecipe | GetRecipe | StreamRecipe;

/** Consume without acknowledging, then give everything back at once. */
export interface HoldRecipe {
  readonly kind: "hold";
  /** nack: cancel the consumers, then basic.nack(multiple, requeue). close: close the channel. */
  readonly release: "nack" | "close";
  /** Quorum queues: bound the broker's send window by bytes and add consumers as windows fill. */
  readonly windowed: boolean;
  /** How many consumers the one channel may have before the order of the release is in danger. */
  readonly maxConsumers: number;
  /** x-consumer-timeout may be passed, so that the broker does not take the messages back meanwhile. */
  readonly consumerTimeout: boolean;
  /** x-priority of the consumers. */
  readonly priority: number;
  /** Reading costs one of `limit` deliveries: stop at the first message that would keep fewer than `keep`. null: it costs none. */
  readonly budget: { readonly limit: number; readonly keep: number } | null;
  /**
   * Quorum queues of 4.3 and newer with this delivery limit: prove on one message, before holding more, that a nack does not count
   * against it (the queue may still run an older machine version). null: nothing to prove.
   */
  readonly proveLimit: number | null;
}

/** basic.get: where a consumer would delete the queue, or is not admitted. One message at a time, so only for short queues. */
export interface GetRecipe {
  readonly kind: "get";
  readonly maxMessages: number;
}

/** Streams: reading takes nothing, there is nothing to give back. */
export interface StreamRecipe {
  readonly kind: "stream";
  readonly from: "first" | number;
}

/** Why a queue is not read. `flag` accepts the danger; null: nothing does. */
export interface Danger {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly flag: string | null;
}

export interface ReadingVerdict {
  readonly queue: QueueInfo;
  readonly recipe: ReadingRecipe | null;
  /** Set when recipe is null. */
  readonly danger: Danger | null;
  /** What reading will cost or change, one sentence each; shown by `check` and kept in the manifest. */
  readonly costs: readonly string[];
}

/** What the operator accepts. */
export interface ReadingPolicy {
  /** `--keep-deliveries`; null: never spend a limited delivery. */
  readonly keepDeliveries: number | null;
  /** `--reader-priority`. */
  readonly priority: number;
  /** `--accept` codes. */
  readonly accept: ReadonlySet<string>;
  readonly drain: boolean;
}
