import { readRepository } from "../repository/repository-document.ts";
import { planRemovals, planSweep, type PruneRequest } from "./prune-plan.ts";
import { carryOut, type CarriedOut, type PruneDeps } from "./prune-removal.ts";

/** The plan as it was carried out, or would be; without removals unless confirmed. */
export interface PruneResult extends CarriedOut {
  readonly location: string;
  readonly confirmed: boolean;
}

/**
 * Removes those backups of one target that the policy does not keep and no other needs, and what interrupted runs have left. Unless
 * confirmed it only says what would go. None is removed while one that is there needs it, and each begins to go with its manifest: so
 * all that are listed restore, wherever it is broken off.
 * Throws REPOSITORY_MISSING, FORMAT_NEWER, MANIFEST_DAMAGED, TARGET_*: then nothing was removed.
 */
export async function prune(
  deps: PruneDeps,
  request: PruneRequest,
  signal: AbortSignal,
): Promise<PruneResult> {
  await readRepository(deps.store, { signal });
  const source = { store: deps.store, known: new Map(), now: deps.now() };
  const { sets } = await planRemovals(source, request, { signal });
  const planned = { sets, sweep: await planSweep(source, { signal }) };
  const { confirmed } = request;
  const done = confirmed
    ? await carryOut(deps, source, request, planned, signal)
    : { ...planned, removals: [], failure: null };
  return { location: deps.store.location, confirmed, ...done };
}
