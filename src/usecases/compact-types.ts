import type { BackupId } from "../domain/backup-id.ts";
import type { TargetOutcome } from "../domain/target-outcome.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { BackupReading } from "./backup-reading.ts";
import type { BackupEncryption } from "./backup-sealing.ts";
import type { BaseKeepingDeps } from "./base-keeping.ts";
import type { LeaseDeps, LeaseEvent } from "./held-lease.ts";
import type { Durability } from "../domain/durability.ts";
import type { BringUpEvent } from "./bring-up.ts";
import type { ShippingEvent } from "./new-archive.ts";
import type { GivenUpEvent } from "./roster.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Spool } from "../ports/spool.ts";
import type { Store } from "../ports/store.ts";

export interface CompactDeps extends Omit<LeaseDeps, "report">, BaseKeepingDeps {
  /** Read from the first; every one gets the new backup. */
  readonly stores: readonly [Store, ...Store[]];
  readonly reading: BackupReading;
  /** null: backups are not encrypted. */
  readonly encryption: BackupEncryption | null;
  openSpool(): Spool;
  readonly codec: SegmentCodec;
  /** Of the repository, where it was removed meanwhile. */
  newRepositoryId(): string;
  report(event: CompactEvent): void;
}

export interface CompactRequest {
  /** An id, the beginning of one, or "latest": as the first target has it. */
  readonly backup: string;
  readonly durability: Durability;
  readonly volumeBytes: number;
  /** See `NewArchiveOptions`. */
  readonly spoolMaxBytes: number | null;
  /** Of a segment before compression. */
  readonly segmentBytes: number;
  readonly dryRun: boolean;
  /** Takes away the leases others hold on the set. */
  readonly breakLease: boolean;
  readonly tool: Manifest["tool"];
}

export type CompactEvent =
  | LeaseEvent
  | { readonly kind: "begun"; readonly id: BackupId }
  | { readonly kind: "queue-begun"; readonly queue: QueueAddress; readonly messages: number }
  | {
      readonly kind: "queue-progress";
      readonly queue: QueueAddress;
      readonly messages: number;
      readonly bodyBytes: number;
    }
  | {
      readonly kind: "queue-finished";
      readonly queue: QueueAddress;
      readonly messages: number;
      readonly bodyBytes: number;
    }
  | ShippingEvent
  | GivenUpEvent
  | BringUpEvent
  | { readonly kind: "committed"; readonly id: BackupId; readonly location: string };

/** What is read of one backup. */
export interface CompactRead {
  readonly backup: string;
  readonly segments: number;
  /** As stored. */
  readonly bytes: number;
}

export interface CompactResult {
  readonly source: BackupId;
  /** Oldest name first. */
  readonly reads: readonly CompactRead[];
  /** What the new backup is going to take, judged by what its messages take now. */
  readonly estimatedBytes: number;
  readonly messages: number;
  /** null: a dry run. */
  readonly manifest: Manifest | null;
  /** What could not be kept, one sentence each. */
  readonly warnings: readonly string[];
  /** One for each target; none after a dry run. */
  readonly targets: readonly TargetOutcome[];
}
