import type { Durability } from "../domain/durability.ts";
import type { BackupError } from "../domain/errors.ts";
import type { Manifest, QueueEntry } from "../domain/manifest.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { TargetOutcome } from "../domain/target-outcome.ts";
import type { ReadingVerdict } from "../domain/reading-recipe.ts";
import type { BrokerDirectory } from "../ports/broker-directory.ts";
import type { QueueReader } from "../ports/queue-reader.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Spool } from "../ports/spool.ts";
import type { Runs } from "../ports/runs.ts";
import type { Store } from "../ports/store.ts";
import type { BackupReading } from "./backup-reading.ts";
import type { BackupEncryption } from "./backup-sealing.ts";
import type { BaseKeepingDeps } from "./base-keeping.ts";
import type { LeaseEvent } from "./held-lease.ts";
import type { BringUpEvent } from "./bring-up.ts";
import type { EarlierFinishedEvent } from "./finish-earlier.ts";
import type { Resumed, ResumedEvent } from "./full-resume.ts";
import type { ShippingEvent } from "./new-archive.ts";
import type { GivenUpEvent } from "./roster.ts";
import type { SurveyRequest } from "./survey.ts";

export interface BackupDeps extends BaseKeepingDeps {
  /** null: AMQP-only mode. */
  readonly directory: BrokerDirectory | null;
  readonly reader: QueueReader;
  /** Every one gets the backup. */
  readonly stores: readonly [Store, ...Store[]];
  readonly reading: BackupReading;
  /** null: backups are not encrypted. */
  readonly encryption: BackupEncryption | null;
  openSpool(): Spool;
  /** Where it is noted how far a full came; null: nowhere. */
  readonly journals: Store | null;
  readonly codec: SegmentCodec;
  /** Of the repository, where there is none yet. */
  newRepositoryId(): string;
  readonly runs: Runs;
  /** Rejects with the signal's reason. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  report(event: BackupEvent): void;
}

export interface BackupRequest extends SurveyRequest {
  /** null: made from the cluster's name and the virtual hosts. */
  readonly set: string | null;
  /** null: a full backup. */
  readonly incremental: IncrementalRequest | null;
  /** Takes away the leases others hold on the set. */
  readonly breakLease: boolean;
  readonly durability: Durability;
  readonly drain: boolean;
  /** Queues read at once. */
  readonly parallel: number;
  readonly maxHoldMs: number;
  readonly rate: Rate | null;
  readonly volumeBytes: number;
  /** See `NewArchiveOptions`. */
  readonly spoolMaxBytes: number | null;
  /** Of a segment before compression. */
  readonly segmentBytes: number;
  readonly dryRun: boolean;
  readonly tool: { readonly name: string; readonly version: string };
  /** The broker as the manifest names it, without credentials. */
  readonly url: string;
}

export interface IncrementalRequest {
  /** An id or the beginning of one; null: the newest of the set. */
  readonly base: string | null;
  /** Where the set has no backup yet: fail, instead of taking a full one. */
  readonly requireBase: boolean;
}

/** Over all queues together. */
export interface Rate {
  readonly per: "messages" | "bytes";
  /** A second. */
  readonly amount: number;
}

export interface BackupResult {
  /** One, or with drain one a round; none after a dry run. */
  readonly manifests: readonly Manifest[];
  /** The backup that an incremental builds on; null: a full, asked for or not. */
  readonly base: string | null;
  /** One for each queue wanted. */
  readonly verdicts: readonly ReadingVerdict[];
  /** What could not be known, or not be protected, one sentence each. */
  readonly warnings: readonly string[];
  /** Only with drain: what became of the messages on their queues. */
  readonly removals: readonly Removal[];
  /** One for each target; none after a dry run. */
  readonly targets: readonly TargetOutcome[];
  /** What of an interrupted full was gone on with; null: nothing. */
  readonly resumed: Resumed | null;
  /** Some wanted messages are not in it, and nobody accepted that. */
  readonly partial: boolean;
  /** Why it broke off after a commit, which stands: a later round of a drain failed, or it was interrupted while targets were brought up. */
  readonly failure: BackupError | null;
}

export interface Removal {
  readonly queue: QueueAddress;
  /** null: removed. Else the messages are in the backup and may still be on the queue. */
  readonly failure: BackupError | null;
}

export type BackupEvent =
  | LeaseEvent
  | { readonly kind: "surveyed"; readonly verdicts: readonly ReadingVerdict[] }
  | { readonly kind: "begun"; readonly id: string }
  | { readonly kind: "queue-begun"; readonly queue: QueueAddress; readonly messages: number | null }
  | {
      readonly kind: "queue-progress";
      readonly queue: QueueAddress;
      readonly messages: number;
      readonly bodyBytes: number;
    }
  | { readonly kind: "queue-finished"; readonly entry: QueueEntry }
  | ResumedEvent
  | ShippingEvent
  | GivenUpEvent
  | EarlierFinishedEvent
  | BringUpEvent
  | { readonly kind: "committed"; readonly id: string; readonly location: string }
  | { readonly kind: "queue-drained"; readonly removal: Removal };
