import { BackupError } from "../domain/errors.ts";
import { describeTask } from "../domain/message-selection.ts";
import { describeQueue, type QueueAddress } from "../domain/queue.ts";
import type { QueuePlan } from "../domain/restore-plan.ts";
import type { QueueWriter } from "../ports/queue-writer.ts";
import { JournalKeeper } from "./restore-journal-keeper.ts";
import { journalIdentity, writerOf, type PreparedRestore } from "./restore-preparation.ts";
import { publishQueue, type Published } from "./restore-queue.ts";
import type { RestoreCommand, RestoreDeps, RestoredQueue } from "./restore-types.ts";

export interface Execution {
  readonly deps: Omit<RestoreDeps, "journals">;
  readonly command: RestoreCommand;
  readonly prepared: PreparedRestore;
  readonly signal: AbortSignal;
}

export interface OneRestored {
  readonly plan: QueuePlan;
  /** Messages in the destination before its first one. */
  readonly initial: number;
  readonly restored: RestoredQueue;
}

/** One queue of the plan, from its journal to the count afterwards. Failures of the broker and the archive are in the result. */
export async function restoreOne(execution: Execution, plan: QueuePlan): Promise<OneRestored> {
  const { deps, signal } = execution;
  const { destination, from, messages } = plan;
  const startedAt = deps.now().getTime();
  const elapsed = (): number => deps.now().getTime() - startedAt;
  deps.report({ kind: "queue-begun", destination, messages, from });
  try {
    const journal = await beginJournal(execution, plan);
    const { initial } = journal.current;
    const published = from < messages ? await publishOne(execution, plan, journal) : NOTHING_TO_SEND;
    const after = published.failure === null ? await readyAfter(execution, plan, initial) : null;
    const confirmed = from < messages ? published.confirmed : messages;
    return { plan, initial, restored: restoredQueue(plan, { ...published, confirmed }, elapsed(), after) };
  } catch (error) {
    if (!(error instanceof BackupError) && !signal.aborted) throw error;
    const published = { ...NOTHING_TO_SEND, confirmed: from, failure: failureOf(error, plan, signal) };
    return { plan, initial: plan.initial, restored: restoredQueue(plan, published, elapsed(), null) };
  }
}

export function notBegun(plan: QueuePlan): OneRestored {
  const restored = restoredQueue(plan, { ...NOTHING_TO_SEND, confirmed: plan.from }, 0, null);
  return { plan, initial: plan.initial, restored: { ...restored, outcome: "not-begun" } };
}

/** What an error means for this queue; an abort is INTERRUPTED whatever it came as. */
export function failureOf(error: unknown, { destination }: QueuePlan, signal: AbortSignal): BackupError {
  if (error instanceof BackupError && !signal.aborted) return error;
  return new BackupError("INTERRUPTED", `restoring ${describeQueue(destination)} was interrupted`);
}

const NOTHING_TO_SEND: Published = {
  confirmed: 0,
  bodyBytes: 0,
  latency: null,
  unprotected: false,
  failure: null,
};

async function publishOne(
  { deps, command, prepared, signal }: Execution,
  plan: QueuePlan,
  journal: JournalKeeper,
): Promise<Published> {
  const { content, writers } = prepared;
  return publishQueue({ deps, command, plan, writer: writerOf(writers, plan), content, journal }, signal);
}

async function beginJournal({ deps, command, prepared }: Execution, plan: QueuePlan): Promise<JournalKeeper> {
  const { destination, from, messages, route } = plan;
  const writer = writerOf(prepared.writers, plan);
  const identity = journalIdentity(prepared.content.manifest.id, writer, plan);
  const before = from > 0 ? await prepared.journals.load(identity) : null;
  const initial = from > 0 || command.toOrigin ? plan.initial : await readyNow(writer, destination);
  const keeper = new JournalKeeper(prepared.journals, () => deps.now(), {
    ...identity,
    route,
    selection: describeTask(command),
    total: messages,
    initial,
    confirmed: from,
    limit: from,
    transient: before?.transient ?? false,
    expiring: before?.expiring ?? false,
    refusedAt: null,
    declared: plan.declare !== null || plan.declaredBefore,
    finished: from >= messages,
  });
  await keeper.save({});
  return keeper;
}

/** Asked anew: of several queues that go into this one, those before it have filled it meanwhile. */
async function readyNow(writer: QueueWriter, destination: QueueAddress): Promise<number> {
  return (await writer.inspect(destination))?.ready ?? 0;
}

interface After {
  readonly ready: number;
  readonly short: number;
}

/** Confirmed is not yet kept: a limit or an expiry may have taken messages again. */
async function readyAfter({ prepared }: Execution, plan: QueuePlan, initial: number): Promise<After | null> {
  if (plan.route === "origin" || plan.source.type === "stream") return null;
  const found = await writerOf(prepared.writers, plan).inspect(plan.destination);
  if (found === null) return null;
  const short = found.consumers > 0 ? 0 : Math.max(0, initial + plan.messages - found.ready);
  return { ready: found.ready, short };
}

function restoredQueue(
  plan: QueuePlan,
  published: Published,
  durationMs: number,
  after: After | null,
): RestoredQueue {
  const { source, destination, declare, messages, from, duplicates } = plan;
  const { confirmed, bodyBytes, latency, failure } = published;
  const notes = [
    ...plan.notes,
    ...(published.unprotected ? ["no lock could be taken: nothing kept a second run away"] : []),
    ...(after !== null && after.short > 0
      ? [
          `${after.short} messages fewer are in it than there should be: expired, dropped by a limit, or consumed`,
        ]
      : []),
  ];
  return {
    source: { vhost: source.vhost, name: source.name },
    destination,
    outcome: failure === null ? "restored" : failure.code === "INTERRUPTED" ? "interrupted" : "failed",
    failure,
    declared: declare !== null,
    messages,
    before: from,
    confirmed,
    bodyBytes,
    durationMs,
    latency,
    duplicates,
    ready: after?.ready ?? null,
    short: after?.short ?? 0,
    notes,
    readBack: null,
  };
}
