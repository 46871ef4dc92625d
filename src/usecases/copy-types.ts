import type { BackupId } from "../domain/backup-id.ts";
import type { CopySource, CopyStep, LeaveReason } from "../domain/copy-plan.ts";
import type { BackupError } from "../domain/errors.ts";
import type { Store } from "../ports/store.ts";
import type { LeaseDeps, LeaseEvent } from "./held-lease.ts";

export interface CopyDeps extends Omit<LeaseDeps, "report"> {
  /** Where backups are copied from; nothing is changed there. */
  readonly source: Store;
  readonly destinations: readonly Store[];
  newRepositoryId(): string;
  report(event: CopyEvent): void;
}

export interface CopyRequest {
  /** Each an id, the beginning of one, or "latest"; those they need come with them. None: all backups. */
  readonly backups: readonly string[];
  /** Reads what is at the destinations and compares checksums, where else sizes are believed. */
  readonly checksum: boolean;
  readonly dryRun: boolean;
  /** Takes away the leases others hold on the sets. */
  readonly breakLease: boolean;
}

export type CopyEvent =
  | {
      readonly kind: "check-begun" | "copy-begun";
      readonly location: string;
      readonly id: BackupId;
      readonly bytes: number;
    }
  | {
      readonly kind: "bytes-checked" | "bytes-copied";
      readonly location: string;
      readonly id: BackupId;
      readonly bytes: number;
    }
  | { readonly kind: "checked"; readonly location: string; readonly id: BackupId }
  | { readonly kind: "backup-ended"; readonly location: string; readonly outcome: CopyOutcome }
  | LeaseEvent;

/** A backup at the source. */
export interface SourceBackup extends CopySource {
  readonly set: string;
  readonly startedAt: string;
  /** Tells its manifest from any other. */
  readonly seal: string;
}

/** A backup at the source whose manifest cannot be used. */
export interface UnusableSource {
  readonly id: BackupId;
  readonly damage: BackupError;
}

/** What became of one backup at one destination, or would. */
export interface CopyOutcome {
  readonly step: CopyStep<SourceBackup>;
  /** Bytes put there. */
  readonly bytes: number;
  /** Nothing is left to do; false in a dry run, unless there was nothing. */
  readonly done: boolean;
  /** Why it was left, found out before or on the way; null: it was not. */
  readonly left: LeaveReason | null;
}

export interface CopiedTo {
  readonly location: string;
  /** In the order of the work; those of a set that another run holds, and those after a failure, are not among them. */
  readonly backups: readonly CopyOutcome[];
  /** Why not everything was done. */
  readonly failure: BackupError | null;
}

export interface CopyResult {
  readonly source: string;
  readonly dryRun: boolean;
  /** At the source, and copied nowhere. */
  readonly unusable: readonly UnusableSource[];
  readonly destinations: readonly CopiedTo[];
}
