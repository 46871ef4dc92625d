import { DAY_MS, type ObjectLock } from "../../domain/object-lock.ts";
import { isS3Target, parseS3Location } from "../../domain/s3-location.ts";
import type { Store } from "../../ports/store.ts";
import type { LeaseEvent } from "../../usecases/held-lease.ts";
import { lockedStore } from "../../usecases/locked-store.ts";
import type { Session } from "../session.ts";

/** Stores as a run writes to them that need not be allowed to remove anything; with --lock-days, what it puts is locked from now on. */
export async function writtenStores(
  { settings: { target, lockDays, lockMode }, signal }: Session,
  report: (event: LeaseEvent) => void,
): Promise<(store: Store) => Promise<Store>> {
  const { withRefusedDeletes } = await import("../../adapters/store/refused-deletes.ts");
  const lock: ObjectLock | null =
    lockDays === null
      ? null
      : { mode: lockMode ?? "governance", until: new Date(Date.now() + lockDays * DAY_MS) };
  const unconditional = target
    .filter(isS3Target)
    .map(parseS3Location)
    .filter(({ conditionalPut }) => !conditionalPut)
    .map(({ text }) => text);
  return async (store) => {
    const { location } = store;
    if (unconditional.includes(location)) report({ kind: "puts-unconditional", location });
    const written = withRefusedDeletes(store, () => report({ kind: "removal-refused", location }));
    return lock === null ? written : lockedStore(written, lock, { signal });
  };
}
