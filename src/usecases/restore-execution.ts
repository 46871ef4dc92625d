import { BackupError } from "../domain/errors.ts";
import { destinationKey, type QueuePlan } from "../domain/restore-plan.ts";
import { readLaneBack } from "./restore-lane-read-back.ts";
import { notBegun, restoreOne, type Execution, type OneRestored } from "./restore-one.ts";
import { declareTopology } from "./restore-topology.ts";
import type { RestoredQueue, RestoreResult } from "./restore-types.ts";

/** Carries out a plan without refusals. Rejects only when something cannot be declared. */
export async function executeRestore(
  execution: Execution,
): Promise<Pick<RestoreResult, "exchanges" | "bindings" | "queues" | "failure">> {
  const { deps, command, prepared, signal } = execution;
  const { plan, topologies, writers } = prepared;
  signal.throwIfAborted();
  const declared = await declareTopology(deps, writers, plan.queues, topologies, { signal });
  const results = new Map<QueuePlan, RestoredQueue>();
  const lanes = lanesOf(plan.queues);
  const takeLanes = async (): Promise<void> => {
    for (let lane = lanes.shift(); lane; lane = lanes.shift()) {
      for (const one of await restoreLane(execution, lane)) results.set(one.plan, one.restored);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, command.parallel) }, takeLanes));
  const queues = plan.queues.flatMap((queue) => results.get(queue) ?? []);
  const interrupted = signal.aborted ? interruption(queues) : null;
  return {
    ...declared,
    queues,
    failure: interrupted ?? queues.find(({ failure }) => failure)?.failure ?? null,
  };
}

/** What goes into one queue goes one behind the other, lanes side by side. */
function lanesOf(plans: readonly QueuePlan[]): QueuePlan[][] {
  const lanes = new Map<string, QueuePlan[]>();
  for (const plan of plans) {
    const key = destinationKey(plan);
    lanes.set(key, [...(lanes.get(key) ?? []), plan]);
  }
  return [...lanes.values()];
}

/** After a failure nothing more goes into the same queue: it would be in the wrong place. */
async function restoreLane(
  execution: Execution,
  lane: readonly QueuePlan[],
): Promise<readonly OneRestored[]> {
  const { deps, command, signal } = execution;
  const results: OneRestored[] = [];
  for (const plan of lane) {
    const stopped = signal.aborted || results.some(({ restored }) => restored.outcome !== "restored");
    results.push(stopped ? notBegun(plan) : await restoreOne(execution, plan));
  }
  const last = results.at(-1);
  if (command.readBack && last?.restored.outcome === "restored" && !signal.aborted) {
    const compared = await readLaneBack(execution, results);
    results.splice(-1, 1, { ...last, restored: { ...last.restored, ...compared } });
  }
  for (const { restored } of results) deps.report({ kind: "queue-finished", queue: restored });
  return results;
}

function interruption(queues: readonly RestoredQueue[]): BackupError {
  const restored = queues.filter(({ outcome }) => outcome === "restored").length;
  return new BackupError(
    "INTERRUPTED",
    `interrupted after ${restored} of ${queues.length} queues were restored wholly`,
    { hint: "The same command with --resume goes on." },
  );
}
