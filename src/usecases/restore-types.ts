import type { BackupError } from "../domain/errors.ts";
import type { MessagePart } from "../domain/message-comparison.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { ReadingPolicy } from "../domain/reading-recipe.ts";
import type { RestorePlan } from "../domain/restore-plan.ts";
import type { RestoreRequest } from "../domain/restore-request.ts";
import type { BrokerDirectory } from "../ports/broker-directory.ts";
import type { MessageFilter } from "../ports/message-filter.ts";
import type { QueueReader } from "../ports/queue-reader.ts";
import type { QueueWriter } from "../ports/queue-writer.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Store } from "../ports/store.ts";

export interface RestoreDeps {
  readonly store: Store;
  readonly codec: Pick<SegmentCodec, "open" | "recycle">;
  /** Opens a writer into one virtual host; the use case disposes it. */
  openWriter(vhost: string, options: { readonly signal?: AbortSignal }): Promise<QueueWriter>;
  /** null: AMQP-only mode. */
  readonly directory: BrokerDirectory | null;
  readonly reader: Pick<QueueReader, "open">;
  /** On this machine; where journals for `--resume` are kept. */
  readonly journals: Store;
  now(): Date;
  /** Rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Aborts after so long. */
  deadline(ms: number): AbortSignal;
  report(event: RestoreEvent): void;
}

export interface RestoreCommand extends RestoreRequest {
  /** An id, the beginning of one, or "latest". */
  readonly backup: string;
  readonly filter: MessageFilter | null;
  readonly dryRun: boolean;
  /** Queues restored at once. */
  readonly parallel: number;
  /** Read every queue back afterwards and compare. */
  readonly readBack: boolean;
  /** For reading back, and for proving how far a broken-off restore came. */
  readonly reading: { readonly policy: ReadingPolicy; readonly maxHoldMs: number };
}

export interface RestoreResult {
  readonly backup: string;
  /** Without credentials. */
  readonly broker: string;
  readonly dryRun: boolean;
  readonly plan: RestorePlan;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  /** Exchanges that did not exist. */
  readonly exchanges: readonly string[];
  /** Bindings declared, new or not. */
  readonly bindings: number;
  /** In the order of the plan; empty after a dry run. */
  readonly queues: readonly RestoredQueue[];
  /** The whole is not what was asked for: INTERRUPTED, or the first failure of a queue. */
  readonly failure: BackupError | null;
}

export interface RestoredQueue {
  readonly source: QueueAddress;
  readonly destination: QueueAddress;
  readonly outcome: "restored" | "failed" | "interrupted" | "not-begun";
  readonly failure: BackupError | null;
  readonly declared: boolean;
  /** Messages the backup holds of it, as far as they are selected. */
  readonly messages: number;
  /** Of those, there before: what a resumed restore did not send again. */
  readonly before: number;
  /** Counted from the first of them; the broker has all up to here. */
  readonly confirmed: number;
  /** Bytes of the bodies sent by this run. */
  readonly bodyBytes: number;
  readonly durationMs: number;
  /** From sending to confirm, milliseconds. */
  readonly latency: { readonly p50: number; readonly p99: number } | null;
  /** At most so many are there twice; 0 unless that was accepted. */
  readonly duplicates: number;
  /** Ready messages afterwards; null: not asked. */
  readonly ready: number | null;
  /** Ready messages that should be there and are not, though no consumer is attached; 0 when all is well or nothing can be said. */
  readonly short: number;
  readonly notes: readonly string[];
  /** null: not asked for, or not restored wholly. */
  readonly readBack: ReadBack | null;
}

export type ReadBack =
  | { readonly kind: "same"; readonly messages: number }
  /** `sequence` counts from 0 in the backup's queue; null: behind its last message. */
  | { readonly kind: "differs"; readonly sequence: number; readonly part: MessagePart | "missing" | "extra" }
  /** It could not be read, or not to the end. */
  | { readonly kind: "unread"; readonly why: string };

export type RestoreEvent =
  | {
      readonly kind: "selected";
      readonly source: QueueAddress;
      readonly messages: number;
      /** How many the backup holds of it. */
      readonly of: number;
    }
  | { readonly kind: "planned"; readonly backup: string; readonly plan: RestorePlan }
  | { readonly kind: "declared"; readonly what: string }
  | {
      readonly kind: "queue-begun";
      readonly destination: QueueAddress;
      readonly messages: number;
      readonly from: number;
    }
  | {
      readonly kind: "queue-progress";
      readonly destination: QueueAddress;
      readonly messages: number;
      /** Both count from the first message that is to be restored. */
      readonly published: number;
      readonly confirmed: number;
      readonly bodyBytes: number;
    }
  | { readonly kind: "blocked"; readonly destination: QueueAddress; readonly reason: string | null }
  | { readonly kind: "queue-read-back"; readonly destination: QueueAddress; readonly compared: number }
  | { readonly kind: "queue-finished"; readonly queue: RestoredQueue };
