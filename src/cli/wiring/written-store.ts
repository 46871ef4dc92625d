import type { Store } from "../../ports/store.ts";
import type { LeaseEvent } from "../../usecases/held-lease.ts";

/** A store as a run writes to it that need not be allowed to remove anything. */
export async function writtenStore(store: Store, report: (event: LeaseEvent) => void): Promise<Store> {
  const { withRefusedDeletes } = await import("../../adapters/store/refused-deletes.ts");
  return withRefusedDeletes(store, (location) => report({ kind: "removal-refused", location }));
}
