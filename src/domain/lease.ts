import { BackupError } from "./errors.ts";

/** How long a lease stands after it was put or renewed. Much more than the clocks of two machines may differ by. */
export const LEASE_MS = 5 * 60 * 1000;

/** One process at work. */
export interface RunIdentity {
  /** For people. */
  readonly host: string;
  /** Stands for host, boot and process namespace: only there does the pid mean anything. */
  readonly machine: string;
  readonly pid: number;
  /** Tells two processes apart that have one pid, one after the other. */
  readonly run: string;
}

/** The right to write backups of one set to one target. It ends by itself, lest a dead run keep it. */
export interface Lease {
  /** No other lease has it, ever. */
  readonly id: string;
  readonly set: string;
  /** The command at work, as it is typed. */
  readonly command: string;
  readonly holder: RunIdentity;
  readonly acquiredAt: Date;
  /** By the holder's clock, unless it is renewed. */
  readonly expiresAt: Date;
}

/** Somebody's lease as it lies at a target. */
export interface FoundLease {
  readonly id: string;
  /** null: it cannot be read. */
  readonly lease: Lease | null;
  /** Why it cannot be read. */
  readonly damage: BackupError | null;
  /** When it was put or last renewed, by the target's clock. */
  readonly renewedAt: Date;
}

/**
 * Whether a lease has ended, by both clocks: the reader's against the end written into it, and the target's own, whose time it is
 * when `targetNow`. So neither a reader nor a holder whose clock is wrong ends the lease of a run at work. One that cannot be read
 * has not ended.
 */
export function hasEnded(
  found: FoundLease,
  clocks: { readonly now: Date; readonly targetNow: Date },
): boolean {
  if (found.lease === null) return false;
  const ageMs = clocks.targetNow.getTime() - found.renewedAt.getTime();
  return clocks.now.getTime() >= found.lease.expiresAt.getTime() && ageMs >= LEASE_MS;
}

/** Of two that came at once this one may wait for the other to step back. Never true both ways. */
export function comesBefore(lease: Lease, other: Lease | null): boolean {
  if (other === null) return false;
  const byTime = lease.acquiredAt.getTime() - other.acquiredAt.getTime();
  return byTime < 0 || (byTime === 0 && lease.id < other.id);
}

/** "mqbackup full on db1 (process 4711), at work since 2026-11-21T19:32:00.000Z". */
export function describeHolder({ lease, damage }: FoundLease): string {
  if (lease === null) return `a lease that cannot be read (${damage?.message ?? "unknown"})`;
  const { command, holder, acquiredAt } = lease;
  return `mqbackup ${command} on ${holder.host} (process ${holder.pid}), at work since ${acquiredAt.toISOString()}`;
}

/** LEASE_HELD: another run is at work on the set. */
export function leaseHeld(place: string, found: FoundLease): BackupError {
  const until =
    found.lease === null ? "" : `; its lease ends ${found.lease.expiresAt.toISOString()} unless renewed`;
  return new BackupError("LEASE_HELD", `${place} is held by ${describeHolder(found)}${until}`, {
    hint:
      found.lease === null
        ? "Look what that file is; when it is certain that no run writes to this set, --break-lease removes it."
        : "Wait for that run. When it is certain that it is dead, --break-lease takes its lease away; by itself it ends 5 minutes after the last sign of life.",
  });
}

/** LEASE_HELD: this run had the lease, and has it no more. */
export function leaseLost(place: string, why: string, cause?: unknown): BackupError {
  return new BackupError("LEASE_HELD", `the lease on ${place} is lost: ${why}`, {
    hint: "Look who else writes to this set, and run again.",
    ...(cause === undefined ? {} : { cause }),
  });
}
