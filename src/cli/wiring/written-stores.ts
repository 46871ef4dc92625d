import { DAY_MS, type ObjectLock } from "../../domain/object-lock.ts";
import type { Store } from "../../ports/store.ts";
import type { LeaseEvent } from "../../usecases/held-lease.ts";
import { lockedStore } from "../../usecases/locked-store.ts";
import type { Session } from "../session.ts";

/** Stores as a run writes to them that need not be allowed to remove anything; with --lock-days, what it puts is locked from now on. */
export async function writtenStores(
  { settings: { lockDays, lockMode }, signal }: Session,
  report: (event: LeaseEvent) => void,
): Promise<(store: Store) => Promise<Store>> {
  const { withRefusedDeletes } = await import("../../adapters/store/refused-deletes.ts");
  const lock: ObjectLock | null =
    lockDays === null
      ? null
      : { mode: lockMode ?? "governance", until: new Date(Date.now() + lockDays * DAY_MS) };
  return async (store) => {
    const written = withRefusedDeletes(store, (location) => report({ kind: "removal-refused", location }));
    return lock === null ? written : lockedStore(written, lock, { signal });
  };
}
