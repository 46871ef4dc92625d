import type { Definitions } from "../domain/definitions.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { QueuePlan } from "../domain/restore-plan.ts";
import { topologyOf, type Topology } from "../domain/restore-topology.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { QueueWriter } from "../ports/queue-writer.ts";
import { readDefinitions, type ArchiveSource } from "../repository/archive-reader.ts";
import type { RestoreDeps } from "./restore-types.ts";

/** What leads to the queues that are declared, for one virtual host to be restored into. */
export interface VhostTopology extends Topology {
  readonly vhost: string;
}

/**
 * The exchanges and bindings for the queues the plan declares under their own names. A queue that exists keeps the bindings it has, and
 * one that is renamed gets none: it would be sent a copy of what the original is sent.
 */
export async function plannedTopology(
  source: ArchiveSource,
  manifest: Manifest,
  plans: readonly QueuePlan[],
  options: Abortable,
): Promise<readonly VhostTopology[]> {
  const wanted = new Map<string, { readonly from: string; readonly to: string; readonly names: string[] }>();
  for (const { source: queue, destination, declare, declaredBefore } of plans) {
    if ((declare === null && !declaredBefore) || queue.name !== destination.name) continue;
    const key = JSON.stringify([queue.vhost, destination.vhost]);
    const group = wanted.get(key) ?? { from: queue.vhost, to: destination.vhost, names: [] };
    group.names.push(queue.name);
    wanted.set(key, group);
  }
  const topologies: VhostTopology[] = [];
  for (const { from, to, names } of wanted.values()) {
    const definitions = await definitionsOf(source, manifest, from, options);
    if (definitions !== null) topologies.push({ vhost: to, ...topologyOf(definitions, names) });
  }
  return topologies;
}

async function definitionsOf(
  source: ArchiveSource,
  manifest: Manifest,
  vhost: string,
  options: Abortable,
): Promise<Definitions | null> {
  const entry = manifest.definitions.find((one) => one.vhost === vhost);
  return entry === undefined ? null : readDefinitions(source, manifest, entry, options);
}

/** Declares what does not exist: the queues first, then the exchanges, then the bindings. Throws RESTORE_REFUSED. */
export async function declareTopology(
  deps: Pick<RestoreDeps, "report">,
  writers: ReadonlyMap<string, QueueWriter>,
  plans: readonly QueuePlan[],
  topologies: readonly VhostTopology[],
  options: Abortable,
): Promise<{ readonly exchanges: readonly string[]; readonly bindings: number }> {
  for (const { declare } of plans) {
    if (declare === null) continue;
    await writers.get(declare.vhost)?.declareQueue(declare, options);
    deps.report({ kind: "declared", what: `queue ${declare.name}` });
  }
  const exchanges: string[] = [];
  let bindings = 0;
  for (const topology of topologies) {
    const writer = writers.get(topology.vhost);
    for (const exchange of topology.exchanges) {
      if ((await writer?.declareExchange(exchange, options)) !== true) continue;
      exchanges.push(exchange.name);
      deps.report({ kind: "declared", what: `exchange ${exchange.name}` });
    }
    for (const binding of topology.bindings) {
      // An exchange that exists stays as it is, and so does what reaches it.
      if (binding.destinationType === "exchange" && !exchanges.includes(binding.destination)) continue;
      await writer?.declareBinding(binding, options);
      bindings++;
    }
  }
  return { exchanges, bindings };
}
