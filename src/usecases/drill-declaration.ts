import type { BindingDefinition } from "../domain/definitions.ts";
import type { DestinationState } from "../domain/destination-state.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import { describeQueue } from "../domain/queue.ts";
import { queueSetting } from "../domain/queue-settings.ts";
import { planRestore, type QueuePlan } from "../domain/restore-plan.ts";
import type { RestoreTarget } from "../domain/restore-targets.ts";
import type { QueueWriter } from "../ports/queue-writer.ts";
import type { RestoreContent } from "./restore-content.ts";
import { plannedTopology, type VhostTopology } from "./restore-topology.ts";
import type { RestoreCommand } from "./restore-types.ts";
import type { Scratch } from "./drill-scratch.ts";
import type { DrillDeps, ProvenDefinitions } from "./drill-types.ts";

export interface Declared {
  /** Of queues that are there now, empty. */
  readonly plans: readonly QueuePlan[];
  readonly refused: ReadonlyMap<RestoreTarget, BackupError>;
  readonly definitions: ProvenDefinitions;
}

interface Declaring {
  readonly deps: DrillDeps;
  readonly command: RestoreCommand;
  readonly content: RestoreContent;
  readonly scratch: Scratch;
  readonly signal: AbortSignal;
}

/**
 * Declares the queues, and what leads to them. What this broker will not have is left out and told: it says nothing of the backup.
 * Throws ARCHIVE_DAMAGED, and when the broker is lost.
 */
export async function declareForDrill(
  context: Declaring,
  targets: readonly RestoreTarget[],
): Promise<Declared> {
  const { deps, command, content, signal } = context;
  const refused = new Map<RestoreTarget, BackupError>();
  const missing: QueuePlan[] = [];
  const plans: QueuePlan[] = [];
  for (const target of targets) {
    const { plan, refusal } = planned(target, ABSENT, command);
    const { declare } = plan;
    const why =
      declare === null
        ? refusal
        : await attempt(context, declare.vhost, (writer) => writer.declareQueue(declare, { signal }));
    const settled = why === null ? await settledPlan(context, target) : why;
    if (settled instanceof BackupError) refused.set(target, settled);
    else {
      missing.push(plan);
      plans.push(settled);
    }
  }
  const source = { store: deps.store, codec: deps.codec };
  const topologies = await plannedTopology(source, content.manifest, missing, { signal });
  return { plans, refused, definitions: await declareTopologies(context, topologies) };
}

/** An operator policy of the broker's own configuration may bind a queue of any virtual host. */
async function settledPlan(
  { deps, command, signal }: Declaring,
  target: RestoreTarget,
): Promise<QueuePlan | BackupError> {
  const { vhost, name } = target.destination;
  const info = await deps.directory.queue(vhost, name, { signal });
  const { plan, refusal } = planned(target, { ...EMPTY, info }, command);
  if (refusal !== null) return refusal;
  const limit = (["message-ttl", "expires"] as const).find((key) => info && queueSetting(info, key) !== null);
  if (limit === undefined) return plan;
  return undrillable(`an operator policy of the broker sets ${limit} for ${describeQueue(target.source)}`);
}

const ABSENT: DestinationState = { found: null, info: null, journal: null };
const EMPTY: DestinationState = { ...ABSENT, found: { ready: 0, consumers: 0 } };

function planned(target: RestoreTarget, state: DestinationState, command: RestoreCommand): Planned {
  const chosen = { targets: [target], left: [], unselected: [], refusals: [] };
  const { queues, refusals } = planRestore(chosen, [state], command);
  const [plan] = queues;
  if (plan === undefined) throw new BackupError("INTERNAL", `${describeQueue(target.source)} has no plan`);
  const [reason] = refusals;
  return { plan, refusal: reason === undefined ? null : undrillable(reason.message) };
}

interface Planned {
  readonly plan: QueuePlan;
  readonly refusal: BackupError | null;
}

function undrillable(why: string): BackupError {
  return new BackupError("RESTORE_REFUSED", why, {
    hint: "Drill on a broker that takes it, or leave the queue out with --exclude.",
  });
}

async function declareTopologies(
  context: Declaring,
  topologies: readonly VhostTopology[],
): Promise<ProvenDefinitions> {
  const { scratch, signal } = context;
  const vhostOf = new Map([...scratch.names].map(([vhost, name]) => [name, vhost]));
  const refused: ProvenDefinitions["refused"][number][] = [];
  let exchanges = 0;
  let bindings = 0;
  for (const { vhost: name, ...topology } of topologies) {
    const vhost = vhostOf.get(name) ?? name;
    const absent = new Set<string>();
    for (const exchange of topology.exchanges) {
      const why = await attempt(context, name, (writer) => writer.declareExchange(exchange, { signal }));
      if (why === null) exchanges++;
      else {
        absent.add(exchange.name);
        refused.push({ vhost, what: `exchange ${exchange.name}`, why: why.message });
      }
    }
    for (const binding of topology.bindings.filter((each) => !leadsNowhere(each, absent))) {
      const why = await attempt(context, name, (writer) => writer.declareBinding(binding, { signal }));
      if (why === null) bindings++;
      else refused.push({ vhost, what: `binding of exchange ${binding.source}`, why: why.message });
    }
  }
  return { exchanges, bindings, refused };
}

function leadsNowhere(binding: BindingDefinition, absent: ReadonlySet<string>): boolean {
  const { source, destination, destinationType } = binding;
  return absent.has(source) || (destinationType === "exchange" && absent.has(destination));
}

/** Why the broker will not have it; null: it is declared. Some refusals, as of an unknown type of exchange, cost the connection. */
async function attempt(
  { scratch, signal }: Declaring,
  name: string,
  declare: (writer: QueueWriter) => Promise<unknown>,
): Promise<BackupError | null> {
  try {
    await declare(scratch.writers.get(name) ?? (await scratch.reopen(name, signal)));
    return null;
  } catch (error) {
    if (signal.aborted || !hasCode(error, "RESTORE_REFUSED", "BROKER_LOST")) throw error;
    if (error.code === "BROKER_LOST") await scratch.reopen(name, signal);
    return error;
  }
}
