import { describeQueue } from "../domain/queue.ts";
import { BackupError } from "../domain/errors.ts";
import type { DestinationState } from "../domain/destination-state.ts";
import type { Reason } from "../domain/manifest.ts";
import { planRestore, unknownResume, type QueuePlan, type RestorePlan } from "../domain/restore-plan.ts";
import type { RestoreJournal } from "../domain/restore-journal.ts";
import { restoreTargets, type RestoreTarget, type RestoreTargets } from "../domain/restore-targets.ts";
import type { QueueWriter } from "../ports/queue-writer.ts";
import { RestoreJournals, type JournalIdentity } from "../repository/restore-journals.ts";
import { barelyKnown, readBack } from "./read-back.ts";
import { settledCounts } from "./destination-counts.ts";
import { chooseMessages } from "./message-choices.ts";
import { checkVolumes, type RestoreContent } from "./restore-content.ts";
import { plannedTopology, type VhostTopology } from "./restore-topology.ts";
import type { RestoreCommand, RestoreDeps } from "./restore-types.ts";

export interface PreparedRestore {
  readonly plan: RestorePlan;
  readonly topologies: readonly VhostTopology[];
  /** By virtual host; whoever asked for the preparation disposes them. */
  readonly writers: ReadonlyMap<string, QueueWriter>;
  readonly content: RestoreContent;
  readonly journals: JournalBook;
}

/** Where journals are kept while messages are sent. */
export type JournalBook = Pick<RestoreJournals, "load" | "save" | "remove">;

export interface PreparationContext {
  readonly deps: RestoreDeps;
  readonly command: RestoreCommand;
  readonly content: RestoreContent;
  /** Filled here, so that it is known to the caller also when the preparation fails. */
  readonly writers: Map<string, QueueWriter>;
  readonly signal: AbortSignal;
}

/**
 * Looks at everything a restore depends on and decides it; changes nothing. Proving how far a broken-off restore came reads the queue,
 * which sets the redelivered flag of its messages. Throws ARCHIVE_DAMAGED, NO_QUEUE_SELECTED, NO_MESSAGE_SELECTED, and what connecting and asking throw.
 */
export async function prepareRestore(context: PreparationContext): Promise<PreparedRestore> {
  const { deps, command, content, writers, signal } = context;
  const targets = restoreTargets(content.manifest, command);
  const sources = targets.targets.map((target) => target.source);
  await checkVolumes(deps.store, content, sources, command.range, { signal });
  const chosen = await chooseMessages({ deps, command, content, signal }, targets);
  for (const vhost of new Set(chosen.targets.map((target) => target.destination.vhost))) {
    writers.set(vhost, await deps.openWriter(vhost, { signal }));
  }
  const journals = new RestoreJournals(deps.journals);
  const states = await statesOf(context, chosen, journals);
  const planned = planRestore(chosen, states, command);
  const plan = command.dryRun ? planned : await proven(context, planned, states);
  const source = { store: deps.store, codec: deps.codec };
  const topologies =
    command.definitions === "missing"
      ? await plannedTopology(source, content.manifest, plan.queues, { signal })
      : [];
  return { plan, topologies, writers, content, journals };
}

/** The writer for this destination. */
export function writerOf(
  writers: ReadonlyMap<string, QueueWriter>,
  { destination }: Pick<RestoreTarget, "destination">,
): QueueWriter {
  const writer = writers.get(destination.vhost);
  if (writer) return writer;
  throw new BackupError("INTERNAL", `there is no connection for ${describeQueue(destination)}`);
}

/** Which journal belongs to the target. Brokers may share a name, and an address may come to be another broker's: both count. */
export function journalIdentity(backup: string, writer: QueueWriter, target: RestoreTarget): JournalIdentity {
  const { vhost, name } = target.source;
  const { url, broker } = writer;
  return {
    backup,
    broker: `${broker.clusterName ?? broker.product} at ${url}`,
    source: { vhost, name },
    destination: target.destination,
  };
}

async function statesOf(
  { deps, command, content, writers, signal }: PreparationContext,
  chosen: RestoreTargets,
  journals: RestoreJournals,
): Promise<DestinationState[]> {
  const states: DestinationState[] = [];
  for (const target of chosen.targets) {
    const writer = writerOf(writers, target);
    const { vhost, name } = target.destination;
    const elsewhere = command.toOrigin;
    states.push({
      found: elsewhere ? null : await writer.inspect(target.destination, { signal }),
      info: elsewhere ? null : ((await deps.directory?.queue(vhost, name, { signal })) ?? null),
      journal: await journalOf(
        journals,
        journalIdentity(content.manifest.id, writer, target),
        command.resume,
      ),
    });
  }
  const askAgain = async (index: number): Promise<DestinationState["found"]> => {
    const target = chosen.targets[index];
    return target ? writerOf(writers, target).inspect(target.destination, { signal }) : null;
  };
  return settledCounts(states, askAgain, deps, signal);
}

/** A journal nobody asked for only serves for a hint: one that cannot be read must not stand in the way of a fresh restore. */
async function journalOf(
  journals: RestoreJournals,
  identity: JournalIdentity,
  resume: boolean,
): Promise<RestoreJournal | null> {
  if (resume) return journals.load(identity);
  return journals.load(identity).catch(() => null);
}

async function proven(
  context: PreparationContext,
  plan: RestorePlan,
  states: readonly DestinationState[],
): Promise<RestorePlan> {
  if (plan.refusals.length > 0) return plan;
  const refusals: Reason[] = [];
  const queues: QueuePlan[] = [];
  for (const [i, queue] of plan.queues.entries()) {
    const { toProve } = queue;
    const why = toProve === null ? null : await disproof(context, queue, states[i]);
    if (toProve !== null && why !== null) {
      refusals.push(unknownResume(queue.destination, { ...toProve, why: `${toProve.why}, and ${why}` }));
    }
    queues.push(why === null ? { ...queue, toProve: null } : queue);
  }
  return { ...plan, queues, refusals };
}

/** Null: the destination holds exactly what is counted, message by message. */
async function disproof(
  { deps, command, content, writers, signal }: PreparationContext,
  plan: QueuePlan,
  state: DestinationState | undefined,
): Promise<string | null> {
  const rules = { ...command, ...plan.edits, route: plan.route, queueName: plan.destination.name };
  const compared = await readBack(
    deps,
    command.reading,
    {
      queue: state?.info ?? barelyKnown(plan.destination, plan.source),
      broker: writerOf(writers, plan).broker,
      before: plan.initial,
      parts: [{ ...plan, messages: plan.from }],
      rules,
      content,
    },
    signal,
  );
  switch (compared.kind) {
    case "same":
      return null;
    case "differs":
      return `read back, it differs at message ${compared.sequence + 1} (${compared.part})`;
    case "unread":
      return `it cannot be read back: ${compared.why}`;
  }
}
