import type { BackupId } from "../domain/backup-id.ts";
import { describeLeave } from "../domain/copy-plan.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { committedIds, unfinishedIds } from "../repository/backup-folder.ts";
import { copyHeld } from "./copy-destination.ts";
import { readSources } from "./copy-source.ts";
import type { CopyDeps, CopyOutcome, CopyRequest } from "./copy-types.ts";
import type { Roster } from "./roster.ts";
import type { Held } from "./with-lease.ts";

/** An earlier run had committed it elsewhere only; now it is at this target as well. */
export interface EarlierFinishedEvent {
  readonly kind: "earlier-finished";
  readonly id: BackupId;
  readonly location: string;
}

type FinishingDeps = Omit<CopyDeps, "source" | "destinations" | "report"> & {
  report(event: EarlierFinishedEvent): void;
};

/** Neither dry nor forced, and sizes are believed of what is committed. */
export const JUST_COPY: CopyRequest = { backups: [], checksum: false, dryRun: false, breakLease: false };

/**
 * Backups of the set that an earlier run committed at one target, and was killed before it did at another where it had begun them: the
 * other gets what it lacks and the manifest. Gives a sentence for each that could not be finished. Throws as `Roster.giveUp`.
 */
export async function finishEarlier(
  deps: FinishingDeps,
  roster: Roster,
  set: string,
  held: Held,
): Promise<readonly string[]> {
  if (roster.standing.length < 2) return [];
  const remarks: string[] = [];
  for (const destination of roster.standing) {
    try {
      remarks.push(...(await finishAt(deps, destination, roster.standing, set, held)));
    } catch (error) {
      held.signal.throwIfAborted();
      roster.giveUp(destination, error);
    }
  }
  return remarks;
}

async function finishAt(
  deps: FinishingDeps,
  destination: Store,
  stores: readonly Store[],
  set: string,
  held: Held,
): Promise<readonly string[]> {
  const remarks: string[] = [];
  const { location } = destination;
  for (const id of await unfinishedIds(destination, held)) {
    const source = await holderOf(id, stores, destination, held);
    if (source === null) continue;
    const copying = { ...deps, source, destinations: [], report: () => undefined };
    const wanted = (await readSources(source, [id], held)).backups.filter((each) => each.id === id);
    const onOutcome = ({ done, left }: CopyOutcome): void => {
      if (done) deps.report({ kind: "earlier-finished", id, location });
      else if (left !== null)
        remarks.push(
          `backup ${id} of an earlier run could not be finished at ${location}: ${describeLeave(left)}`,
        );
    };
    const ofSet = wanted.filter((each) => each.set === set);
    await copyHeld({ deps: copying, destination, request: JUST_COPY, onOutcome }, ofSet, held);
  }
  return remarks;
}

/** null: it is committed nowhere, or where that could be seen nobody answers. */
async function holderOf(
  id: BackupId,
  stores: readonly Store[],
  except: Store,
  options: Abortable,
): Promise<Store | null> {
  for (const store of stores) {
    if (store === except) continue;
    const ids = await committedIds(store, options).catch((): readonly BackupId[] => []);
    options.signal?.throwIfAborted();
    if (ids.includes(id)) return store;
  }
  return null;
}
