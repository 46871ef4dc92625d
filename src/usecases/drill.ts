import { BackupError } from "../domain/errors.ts";
import type { Manifest } from "../domain/manifest.ts";
import { lastingQueue } from "../domain/lasting-queue.ts";
import type { QueuePlan } from "../domain/restore-plan.ts";
import { restoreTargets, type RestoreTarget, type RestoreTargets } from "../domain/restore-targets.ts";
import { ALL_MESSAGES } from "../domain/sequence-range.ts";
import { openCatalog } from "../repository/catalog.ts";
import { declareForDrill } from "./drill-declaration.ts";
import { drillFailure, interruption } from "./drill-outcome.ts";
import { DrillReport } from "./drill-report.ts";
import { Scratch, sweepScratch } from "./drill-scratch.ts";
import type { DrillDeps, DrillRequest, DrillResult, NotRemoved } from "./drill-types.ts";
import { FingerprintedContent } from "./fingerprinted-content.ts";
import { checkVolumes } from "./restore-content.ts";
import { executeRestore } from "./restore-execution.ts";
import type { JournalBook } from "./restore-preparation.ts";
import type { RestoreCommand } from "./restore-types.ts";
import { refusePlan } from "./restore.ts";

/**
 * Proves that a backup restores: puts it into virtual hosts that are made for it on the given broker, reads every queue back as a
 * backup would, and compares message by message with the archive, which must agree with the fingerprints taken when the queues were
 * first read. Nothing else at the broker is touched, and the virtual hosts are removed however the drill ends; what a killed one
 * leaves the next one removes.
 *
 * Queues are declared without what would take messages from them or reorder them (`lastingQueue`); expirations are left out, and of
 * quorum queues, which deliver by them, priorities. Each is compared as it was published.
 *
 * Throws what `openCatalog`, `Catalog.resolve`, the scratch hosts and connecting throw; NO_QUEUE_SELECTED, RESTORE_REFUSED for a queue
 * named that the backup does not hold, ARCHIVE_DAMAGED, INTERRUPTED before the first message. Later it resolves.
 */
export async function drill(
  deps: DrillDeps,
  request: DrillRequest,
  signal: AbortSignal,
): Promise<DrillResult> {
  try {
    return await drillBackup(deps, request, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new BackupError("INTERRUPTED", "interrupted before any message was sent", { cause: error });
  }
}

async function drillBackup(
  deps: DrillDeps,
  request: DrillRequest,
  signal: AbortSignal,
): Promise<DrillResult> {
  const startedAt = deps.now();
  const catalog = await openCatalog(deps.store, { signal });
  const manifest = await catalog.manifest(await catalog.resolve(request.backup, { signal }), { signal });
  const source = { store: deps.store, codec: deps.codec };
  const content = new FingerprintedContent(source, catalog, manifest, { signal });
  const chosen = chosenQueues(manifest, request);
  const queues = chosen.targets.map((target) => target.source);
  await checkVolumes(deps.store, content, queues, ALL_MESSAGES, { signal });
  const { swept, notRemoved: unswept } = await sweepScratch(deps, signal);
  const scratch = new Scratch(deps, [...new Set(queues.map(({ vhost }) => vhost))]);
  let left: readonly NotRemoved[] = [];
  let drilled: Drilled;
  try {
    if (queues.length > 0) await scratch.make(signal);
    drilled = await drillQueues({ deps, request, content, scratch, signal }, chosen);
  } finally {
    left = await scratch.remove();
  }
  return {
    backup: manifest.id,
    ...drilled,
    left: chosen.left,
    swept,
    notRemoved: [...unswept, ...left],
    startedAt,
    finishedAt: deps.now(),
  };
}

type Drilled = Pick<DrillResult, "broker" | "queues" | "definitions" | "userIds" | "failure">;

interface Drilling {
  readonly deps: DrillDeps;
  readonly request: DrillRequest;
  readonly content: FingerprintedContent;
  readonly scratch: Scratch;
  readonly signal: AbortSignal;
}

/** Throws RESTORE_REFUSED, NO_QUEUE_SELECTED. */
function chosenQueues(manifest: Manifest, request: DrillRequest): RestoreTargets {
  const chosen = restoreTargets(manifest, commandOf(request, "drop"));
  refusePlan(chosen);
  return {
    ...chosen,
    targets: chosen.targets.map((target) => ({ ...target, source: lastingQueue(target.source) })),
  };
}

async function drillQueues(
  { deps, request, content, scratch, signal }: Drilling,
  chosen: RestoreTargets,
): Promise<Drilled> {
  const userId = (await deps.scratch.mayImpersonate({ signal })) ? "keep" : "drop";
  const command = commandOf(request, userId);
  const targets = chosen.targets.map((target) => scratchTarget(target, scratch.names));
  const report = new DrillReport(deps, content.manifest.id, targets);
  const declared = await declareForDrill({ deps, command, content, scratch, signal }, targets);
  for (const [target, why] of declared.refused) report.refused(target, why);
  await executeRestore({
    deps: { ...deps, report: (event) => report.restoring(event) },
    command,
    prepared: {
      plan: { ...chosen, queues: declared.plans.map(deliveredInOrder) },
      topologies: [],
      writers: scratch.writers,
      content,
      journals: NO_JOURNALS,
    },
    signal,
  });
  const { queues } = report;
  return {
    broker: brokerOf(scratch),
    queues,
    definitions: declared.definitions,
    userIds: userId === "keep" ? "kept" : "dropped",
    failure: signal.aborted ? interruption(queues) : drillFailure(queues),
  };
}

function scratchTarget(target: RestoreTarget, names: Scratch["names"]): RestoreTarget {
  const { vhost, name } = target.source;
  return { ...target, destination: { vhost: names.get(vhost) ?? "", name } };
}

/** The address without the virtual host, which is gone by the time it is read. */
function brokerOf({ writers }: Scratch): string {
  const url = [...writers.values()].at(0)?.url ?? "";
  return url.slice(0, Math.max(0, url.lastIndexOf("/")));
}

/** Quorum queues of 4.0 and newer deliver by priority, and a queue may have been read in another order: of requeued messages. */
function deliveredInOrder(plan: QueuePlan): QueuePlan {
  return plan.source.type === "quorum" ? { ...plan, edits: { priority: "drop" } } : plan;
}

/** What the virtual host is for is reading back; it has to be as easy as it can be. A message has its first delivery there. */
function commandOf(request: DrillRequest, userId: "keep" | "drop"): RestoreCommand {
  return {
    ...request,
    range: ALL_MESSAGES,
    filter: null,
    mappings: [],
    toVhost: null,
    route: "fanout",
    definitions: "missing",
    append: false,
    resume: false,
    expiration: "drop",
    userId,
    toOrigin: false,
    deathHeader: "keep",
    accept: new Set(),
    dryRun: false,
    readBack: true,
    reading: {
      policy: { keepDeliveries: 1, priority: 0, accept: new Set(), drain: false },
      maxHoldMs: request.maxHoldMs,
    },
  };
}

/** A drill begins anew each time. */
const NO_JOURNALS: JournalBook = {
  load: async () => Promise.resolve(null),
  save: async () => Promise.resolve(),
  remove: async () => Promise.resolve(),
};
