import { parseBackupId } from "../domain/backup-id.ts";
import { defaultSet } from "../domain/backup-set.ts";
import { BackupError } from "../domain/errors.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { Store } from "../ports/store.ts";
import type { BackupDeps, BackupRequest, BackupResult } from "./backup-types.ts";
import type { BaseBackup } from "./base-backup.ts";
import { chooseBase } from "./base-choice.ts";
import { bringUp } from "./bring-up.ts";
import { finishEarlier } from "./finish-earlier.ts";
import { refuseUnsafe } from "./nothing-read.ts";
import { refuseSpent } from "./spent-deliveries.ts";
import { rosterFor, type Roster } from "./roster.ts";
import { requireSameEncryption } from "./set-encryption.ts";
import { survey, type Survey } from "./survey.ts";
import { take, type Taken, type TakeRequest } from "./take.ts";
import { withLease, type Held } from "./with-lease.ts";

/** Messages of one queue in one round of a drain: what is held until the commit must not grow without bound. */
const ROUND_MESSAGES = 500_000;

/**
 * Takes a full backup, or an incremental one. With `drain` what was committed is removed from the queues, in rounds, each a backup
 * of its own, until what was ready at the first cut is gone. Kill it at any moment: every message is on its queue or in a committed
 * backup, for a moment in both. All rounds are taken under one lease.
 * Throws QUEUE_UNSAFE (every queue wanted is unsafe to read), BACKUP_MISSING (no base), LEASE_HELD (another run writes to the set), and what `survey`, `chooseBase` and `take`
 * throw before anything is committed.
 */
export async function backup(
  deps: BackupDeps,
  request: BackupRequest,
  signal: AbortSignal,
): Promise<BackupResult> {
  const found = await survey(deps, request, signal);
  const { roster, later } = rosterFor(deps, deps.stores, request.durability);
  const { accept } = request.policy;
  const { reading } = deps;
  const verdicts = await roster.withFirst(async (store) =>
    refuseSpent({ store, reading }, found.verdicts, accept, signal),
  );
  const surveyed: Survey = { ...found, verdicts };
  const set = request.set ?? defaultSet(surveyed.broker.clusterName, request.vhosts);
  deps.report({ kind: "surveyed", verdicts });
  if (request.dryRun) return planOnly({ deps, roster, request }, set, surveyed, signal);
  refuseUnsafe(verdicts);
  const command = request.incremental === null ? "full" : "incremental";
  const { breakLease } = request;
  const wish = { stores: roster.standing, set, command, breakLease, dispensing: roster };
  const taken = await withLease(deps, wish, signal, async (held) =>
    takeAll({ deps, roster, request }, set, surveyed, held),
  );
  return later.length === 0 ? taken : broughtUp(deps, taken, later, signal);
}

interface Run {
  readonly deps: BackupDeps;
  readonly roster: Roster;
  readonly request: BackupRequest;
}

/** The queues are given back and the backup exists: the other targets get it. */
async function broughtUp(
  deps: BackupDeps,
  taken: BackupResult,
  later: readonly Store[],
  signal: AbortSignal,
): Promise<BackupResult> {
  const made = taken.manifests.map(({ id }) => parseBackupId(id));
  const others = await bringUp({ ...deps, source: deps.stores[0] }, later, made, signal);
  const interrupted = others.find(({ error }) => error?.code === "INTERRUPTED");
  return {
    ...taken,
    targets: [...taken.targets, ...others],
    failure: taken.failure ?? interrupted?.error ?? null,
  };
}

/** Asks for everything and touches nothing, so it needs no lease. */
async function planOnly(
  run: Run,
  set: string,
  { verdicts, unknown }: Survey,
  signal: AbortSignal,
): Promise<BackupResult> {
  const { over, remark } = await baseFor(run, set, signal);
  const warnings = [...unknown, ...remark];
  const partial = verdicts.some((verdict) => verdict.recipe === null);
  return {
    base: over?.id ?? null,
    manifests: [],
    verdicts,
    warnings,
    targets: [],
    removals: [],
    resumed: null,
    partial,
    failure: null,
  };
}

/** The base is chosen under the lease: nobody adds to the set or removes from it any more. */
async function takeAll(run: Run, set: string, surveyed: Survey, held: Held): Promise<BackupResult> {
  const { deps, roster } = run;
  const unfinished = await finishEarlier(deps, roster, set, held);
  const { over, remark } = await baseFor(run, set, held.signal);
  const { rounds, failure } = await takeRounds(run, { ...run.request, set, over }, surveyed, held);
  const warnings = [
    ...surveyed.unknown,
    ...unfinished,
    ...remark,
    ...rounds.flatMap((round) => round.warnings),
  ];
  return {
    base: over?.id ?? null,
    manifests: rounds.map((round) => round.manifest),
    verdicts: surveyed.verdicts,
    warnings: [...new Set(warnings)],
    targets: roster.outcomes(),
    removals: rounds.flatMap((round) => round.removals),
    resumed: rounds[0]?.resumed ?? null,
    partial: rounds.some(isPartial),
    failure,
  };
}

interface ChosenBase {
  readonly over: BaseBackup | null;
  /** What the operator should know of the choice. */
  readonly remark: readonly string[];
}

async function baseFor(
  { deps, roster, request: { incremental } }: Run,
  set: string,
  signal: AbortSignal,
): Promise<ChosenBase> {
  const { reading, encryption, codec } = deps;
  await roster.withFirst(async (store) => requireSameEncryption(store, set, encryption, { signal }));
  if (incremental === null) return { over: null, remark: [] };
  const choice = { set, base: incremental.base, encrypted: encryption !== null };
  const { base: over, why } = await roster.withFirst(async (store) =>
    chooseBase({ store, reading, codec }, choice, { signal }),
  );
  if (over) {
    const isLate = over.begunAt.getTime() > deps.now().getTime();
    const remark = `the clock says a time before the base ${over.id} was begun: the id gets a later one`;
    return { over, remark: isLate ? [remark] : [] };
  }
  if (!incremental.requireBase) {
    return { over, remark: [`${why}: this one is full`] };
  }
  throw new BackupError("BACKUP_MISSING", `${why} (${roster.standing[0].location})`, {
    hint: "Take one with mqbackup full, or leave --require-base away.",
  });
}

async function takeRounds(
  { deps, roster }: Run,
  request: TakeRequest,
  surveyed: Survey,
  held: Held,
): Promise<{ readonly rounds: readonly Taken[]; readonly failure: BackupError | null }> {
  if (!request.drain)
    return { rounds: [await take(deps, request, surveyed, null, held, roster)], failure: null };
  const rounds: Taken[] = [];
  const left = new Map<string, number>();
  let next = surveyed;
  while (next.verdicts.length > 0) {
    const atMost = (queue: QueueAddress) => Math.min(ROUND_MESSAGES, left.get(key(queue)) ?? ROUND_MESSAGES);
    try {
      rounds.push(await take(deps, request, next, atMost, held, roster));
    } catch (error) {
      if (rounds.length === 0 || !(error instanceof BackupError)) throw error;
      return { rounds, failure: error };
    }
    next = { ...next, verdicts: next.verdicts.filter((verdict) => goesOn(verdict.queue, rounds, left)) };
  }
  return { rounds, failure: null };
}

/** Whether another round is owed to a queue; keeps account of what is left of its first cut. */
function goesOn(queue: QueueAddress, rounds: readonly Taken[], left: Map<string, number>): boolean {
  const last = rounds.at(-1);
  const entry = last?.manifest.queues.find((each) => key(each) === key(queue));
  const removal = last?.removals.find((each) => key(each.queue) === key(queue));
  if (!last || !entry || removal?.failure !== null) return false;
  if (entry.messages < (entry.readyAtCut ?? 0)) return false;
  const before = left.get(key(queue)) ?? entry.messages + (last.leftOver.get(entry.ordinal) ?? 0);
  left.set(key(queue), before - entry.messages);
  return before > entry.messages;
}

function key(queue: QueueAddress): string {
  return JSON.stringify([queue.vhost, queue.name]);
}

function isPartial({ manifest, removals }: Taken): boolean {
  return (
    manifest.queues.some((queue) => queue.outcome !== "complete") ||
    removals.some((removal) => removal.failure !== null)
  );
}
