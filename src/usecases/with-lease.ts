import { BackupError } from "../domain/errors.ts";
import type { Store } from "../ports/store.ts";
import { HeldLease, type LeaseDeps, type LeaseWish } from "./held-lease.ts";

/** Five tries until a lease runs out. */
const RENEW_EVERY_MS = 60 * 1000;

/** What work under a lease is given. */
export interface Held {
  /** The caller's, and aborts with LEASE_HELD when the lease is lost. */
  readonly signal: AbortSignal;
  /**
   * To be called right before a commit: when it resolves, the lease is in force at every target and for minutes to come.
   * Throws LEASE_HELD, and as the stores.
   */
  assertHeld(): Promise<void>;
}

/** Who says whether work goes on without a store. */
export interface Dispensing {
  counts(store: Store): boolean;
  /** Throws when it does not. */
  giveUp(store: Store, error: unknown): void;
}

const ALL_NEEDED: Dispensing = {
  counts: () => true,
  giveUp: (_, error) => {
    throw error;
  },
};

/**
 * Does the work while holding the set at every store, in their order: no other run writes to it meanwhile. Leases are renewed in
 * the background and given back at the end, whatever that is.
 * Assumes that a store shows at once what was put, that no clock is wrong by minutes between one renewal and the next, and that a
 * commit takes less than the minutes `assertHeld` grants.
 * A store that fails is given up, where `dispensing` can do without it: never one that another run holds, or has taken away.
 * Throws LEASE_HELD, as the stores, and as the work.
 */
export async function withLease<T>(
  deps: LeaseDeps,
  {
    stores,
    dispensing = ALL_NEEDED,
    ...wish
  }: LeaseWish & { readonly stores: readonly Store[]; readonly dispensing?: Dispensing },
  signal: AbortSignal,
  work: (held: Held) => Promise<T>,
): Promise<T> {
  const leases: { readonly store: Store; readonly lease: HeldLease }[] = [];
  const ending = new AbortController();
  const losing = new AbortController();
  const renewing: Promise<void>[] = [];
  const during = AbortSignal.any([signal, losing.signal]);
  const assertHeld = async (): Promise<void> => {
    during.throwIfAborted();
    for (const { store, lease } of leases) {
      if (!dispensing.counts(store)) continue;
      try {
        await lease.renew(during);
      } catch (error) {
        during.throwIfAborted();
        dispensing.giveUp(store, error);
      }
    }
  };
  const onLost = (store: Store, lost: Error, cause: unknown): void => {
    try {
      if (dispensing.counts(store)) dispensing.giveUp(store, cause);
    } catch {
      losing.abort(lost);
    }
  };
  try {
    for (const store of stores) {
      let lease: HeldLease;
      try {
        lease = await HeldLease.acquire(deps, store, wish, signal);
      } catch (error) {
        signal.throwIfAborted();
        dispensing.giveUp(store, error);
        continue;
      }
      leases.push({ store, lease });
      renewing.push(keepRenewed(deps, lease, (...why) => onLost(store, ...why), ending.signal));
    }
    return await work({ signal: during, assertHeld });
  } finally {
    ending.abort();
    await Promise.all(renewing);
    for (const { lease } of leases.toReversed()) await lease[Symbol.asyncDispose]();
  }
}

/** Until aborted, or the lease is lost. What a store fails at is tried again at the next turn, while there is one. */
async function keepRenewed(
  deps: LeaseDeps,
  lease: HeldLease,
  onLost: (lost: Error, cause: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await deps.sleep(RENEW_EVERY_MS, signal);
      await lease.renew(signal);
    } catch (error) {
      if (signal.aborted) return;
      const nextTurn = deps.now().getTime() + RENEW_EVERY_MS;
      const mayPass = error instanceof BackupError && error.code !== "LEASE_HELD";
      if (mayPass && !lease.endsBefore(nextTurn)) continue;
      onLost(lease.lostFor(error), error);
      return;
    }
  }
}
