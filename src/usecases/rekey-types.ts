import type { BackupId } from "../domain/backup-id.ts";
import type { BackupError } from "../domain/errors.ts";
import type { Keyring, KeyMaker } from "../ports/encryption.ts";
import type { Store } from "../ports/store.ts";
import type { LeaseDeps } from "./held-lease.ts";

export interface RekeyDeps extends LeaseDeps {
  readonly stores: readonly Store[];
  /** What opens the backups now. */
  readonly keyring: Keyring;
  /** For whom they are from now on. */
  readonly keys: KeyMaker;
}

export interface RekeyRequest {
  /** Ids, beginnings of them, or "latest"; none: all. */
  readonly backups: readonly string[];
  readonly dryRun: boolean;
  readonly breakLease: boolean;
}

export interface RekeyResult {
  readonly dryRun: boolean;
  readonly targets: readonly RekeyedAt[];
}

export interface RekeyedAt {
  readonly location: string;
  /** Or, of a dry run, those that would be. */
  readonly rekeyed: readonly BackupId[];
  /** For whom they were before. */
  readonly left: readonly BackupId[];
  readonly notEncrypted: readonly BackupId[];
  /** Damaged, or of a newer version: they stay as they are. */
  readonly unusable: readonly UnusableKey[];
  /** Why some are left. */
  readonly failure: BackupError | null;
}

export interface UnusableKey {
  readonly id: BackupId;
  readonly damage: BackupError;
}
