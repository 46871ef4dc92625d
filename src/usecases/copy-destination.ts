import { planCopy, type CopyStep } from "../domain/copy-plan.ts";
import type { BackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { Store } from "../ports/store.ts";
import { readOrCreateRepository, readRepository } from "../repository/repository-document.ts";
import { copyBackup } from "./copy-backup.ts";
import { lookAt } from "./copy-look.ts";
import type { CopiedTo, CopyDeps, CopyOutcome, CopyRequest, SourceBackup } from "./copy-types.ts";
import { setBySet } from "./set-by-set.ts";
import { withLease, type Held } from "./with-lease.ts";

/**
 * Brings one destination up to the source, set by set, each while nobody else can write to it. A set that another run holds is left
 * and the others are done; any other failure ends it. What stores and signals throw is in the result.
 */
export async function copyTo(
  deps: CopyDeps,
  destination: Store,
  sources: readonly SourceBackup[],
  request: CopyRequest,
  signal: AbortSignal,
): Promise<CopiedTo> {
  const backups: CopyOutcome[] = [];
  const work: Work = { deps, destination, request, onOutcome: (outcome) => backups.push(outcome) };
  let failure: BackupError | null = null;
  try {
    await openRepository(work, signal);
    failure = await setBySet(new Set(sources.map((source) => source.set)), async (set) => {
      const ofSet = sources.filter((source) => source.set === set);
      await copySet(work, set, ofSet, signal);
    });
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    failure = error;
  }
  return { location: destination.location, backups, failure };
}

interface Work {
  readonly deps: CopyDeps;
  readonly destination: Store;
  readonly request: CopyRequest;
  onOutcome(outcome: CopyOutcome): void;
}

/** A copy is a repository of its own, with its own id: backups may be in both, or in one alone. */
async function openRepository({ deps, destination, request }: Work, signal: AbortSignal): Promise<void> {
  if (!request.dryRun) {
    const document = { repositoryId: deps.newRepositoryId(), now: deps.now() };
    await readOrCreateRepository(destination, document, { signal });
    return;
  }
  try {
    await readRepository(destination, { signal });
  } catch (error) {
    if (!hasCode(error, "REPOSITORY_MISSING")) throw error;
  }
}

async function copySet(
  work: Work,
  set: string,
  sources: readonly SourceBackup[],
  signal: AbortSignal,
): Promise<void> {
  const { deps, destination, request } = work;
  if (request.dryRun) {
    for (const step of await planSet(work, sources, signal))
      work.onOutcome({ step, bytes: 0, done: isDone(step), left: step.reason });
    return;
  }
  const wish = { stores: [destination], set, command: "copy", breakLease: request.breakLease };
  await withLease(deps, wish, signal, async (held) => copyHeld(work, sources, held));
}

/** Backups of one set, to a destination on which the set is held. Throws as `copyBackup`. */
export async function copyHeld(work: Work, sources: readonly SourceBackup[], held: Held): Promise<void> {
  await carryOut(work, await planSet(work, sources, held.signal), held);
}

async function planSet(
  { deps, destination, request }: Work,
  sources: readonly SourceBackup[],
  signal: AbortSignal,
): Promise<readonly CopyStep<SourceBackup>[]> {
  const looking = {
    store: destination,
    checksum: request.checksum,
    report: (event: Parameters<CopyDeps["report"]>[0]) => deps.report(event),
  };
  const { presences, committed } = await lookAt(looking, sources, { signal });
  return planCopy(sources, presences, committed);
}

async function carryOut(work: Work, steps: readonly CopyStep<SourceBackup>[], held: Held): Promise<void> {
  const { deps, destination } = work;
  const lost = new Set<BackupId>();
  for (const planned of steps) {
    held.signal.throwIfAborted();
    const step = withoutLost(planned, lost);
    const outcome = await copyBackup({ deps, destination, held }, step);
    if (!outcome.done) lost.add(step.source.id);
    work.onOutcome(outcome);
    deps.report({ kind: "backup-ended", location: destination.location, outcome });
  }
}

/** What was planned to be there by now may not be. */
function withoutLost(step: CopyStep<SourceBackup>, lost: ReadonlySet<BackupId>): CopyStep<SourceBackup> {
  const backup = step.source.needs.find((id) => lost.has(id));
  if (backup === undefined || step.manifest !== "put" || step.reason !== null) return step;
  return { ...step, action: "leave", reason: { kind: "needs", backup } };
}

function isDone({ action, mark }: CopyStep<SourceBackup>): boolean {
  return action === "none" && !mark;
}
