import type { Definitions } from "../domain/definitions.ts";
import { BackupError } from "../domain/errors.ts";
import { allowedBytes, holdMemoryBytes, type HoldMemory } from "../domain/hold-memory.ts";
import type { BrokerInfo, QueueInfo } from "../domain/queue.ts";
import { ACCEPT_HOLD_MEMORY, planReading } from "../domain/reading-plan.ts";
import type { ReadingPolicy, ReadingVerdict } from "../domain/reading-recipe.ts";
import { isScratchName } from "../domain/scratch-host.ts";
import { namedQueues, selectQueues, type Selection, type ToldFacts } from "../domain/selection.ts";
import type { BrokerDirectory } from "../ports/broker-directory.ts";
import type { QueueReader } from "../ports/queue-reader.ts";

export interface SurveyDeps {
  /** null: AMQP-only mode. */
  readonly directory: BrokerDirectory | null;
  readonly reader: Pick<QueueReader, "describe">;
}

export interface SurveyRequest {
  readonly vhosts: readonly [string, ...string[]] | "all";
  readonly selection: Selection;
  readonly told: ToldFacts;
  readonly policy: ReadingPolicy;
  readonly holdMemory: HoldMemory;
}

export interface Survey {
  readonly broker: BrokerInfo;
  readonly management: boolean;
  /** One for each queue wanted, by virtual host and name. */
  readonly verdicts: readonly ReadingVerdict[];
  /** What could not be known, one sentence each. */
  readonly unknown: readonly string[];
}

/**
 * Which queues are wanted and how each can be read. Asks, and touches nothing.
 * Throws BROKER_ALARM, QUEUE_MISSING, NO_QUEUE_SELECTED, USAGE, and what directory and reader throw.
 */
export async function survey(deps: SurveyDeps, request: SurveyRequest, signal: AbortSignal): Promise<Survey> {
  if (deps.directory) return surveyByManagement(deps.directory, request, signal);
  if (request.vhosts === "all" || request.vhosts.length > 1) {
    throw new BackupError("USAGE", "several virtual hosts need the management API", {
      hint: "Give one --vhost, or make the management API reachable (--management-url).",
    });
  }
  const broker = await deps.reader.describe(request.vhosts[0], { signal });
  const queues = namedQueues(request.vhosts[0], request.selection, request.told);
  return {
    broker,
    management: false,
    verdicts: queues.map((queue) => planReading(queue, broker, request.policy)),
    unknown: [
      "without the management API: auto-delete, policies, consumers, alarms, memory, and what is in flight are not known; exchanges and bindings are not backed up",
    ],
  };
}

async function surveyByManagement(
  directory: BrokerDirectory,
  request: SurveyRequest,
  signal: AbortSignal,
): Promise<Survey> {
  const broker = await directory.describe({ signal });
  await refuseAlarms(directory, signal);
  const vhosts = request.vhosts === "all" ? await lastingVhosts(directory, signal) : request.vhosts;
  const found: QueueInfo[] = [];
  for (const vhost of vhosts) found.push(...(await directory.queues(vhost, { signal })));
  const queues = selectQueues(found, vhosts, request.selection);
  const memory = await directory.memory({ signal });
  const freeBytes = memory && Math.min(...memory.map((node) => node.limitBytes - node.usedBytes));
  return {
    broker,
    management: true,
    verdicts: queues.map((queue) =>
      guardMemory(planReading(queue, broker, request.policy), request, freeBytes),
    ),
    unknown:
      memory === null
        ? [
            "the broker's free memory is not known (needs the monitoring tag): holds are not checked against it",
          ]
        : [],
  };
}

/** What a drill has made will be gone in a moment. */
async function lastingVhosts(directory: BrokerDirectory, signal: AbortSignal): Promise<readonly string[]> {
  return (await directory.vhosts({ signal })).filter((vhost) => !isScratchName(vhost));
}

/** An alarm already in effect: a hold could only make it worse. */
async function refuseAlarms(directory: BrokerDirectory, signal: AbortSignal): Promise<void> {
  const [alarm] = await directory.alarms({ signal });
  if (!alarm) return;
  throw new BackupError("BROKER_ALARM", `the broker has a ${alarm.resource} alarm on ${alarm.node}`, {
    hint: "Wait until it is cleared: reading holds messages in the broker's memory.",
  });
}

function guardMemory(
  verdict: ReadingVerdict,
  request: SurveyRequest,
  freeBytes: number | null,
): ReadingVerdict {
  if (!verdict.recipe || freeBytes === null || request.policy.accept.has(ACCEPT_HOLD_MEMORY)) return verdict;
  const bytes = holdMemoryBytes(verdict.queue);
  const allowed = allowedBytes(request.holdMemory, freeBytes);
  if (bytes === null || bytes <= allowed) return verdict;
  return {
    ...verdict,
    recipe: null,
    costs: [],
    danger: {
      code: "hold-memory",
      message: `holding its messages may take ${mebibytes(bytes)} of the broker's memory, more than the ${mebibytes(allowed)} allowed`,
      hint: `Allow more with --hold-memory, or accept it with --accept ${ACCEPT_HOLD_MEMORY}.`,
      flag: `--accept ${ACCEPT_HOLD_MEMORY}`,
    },
  };
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 / 1024)} MiB`;
}

/** What surrounds the queues of these virtual hosts; nothing in AMQP-only mode. */
export async function collectDefinitions(
  directory: BrokerDirectory | null,
  verdicts: readonly ReadingVerdict[],
  signal: AbortSignal,
): Promise<readonly Definitions[]> {
  if (!directory) return [];
  const collected: Definitions[] = [];
  for (const vhost of new Set(verdicts.map((verdict) => verdict.queue.vhost))) {
    collected.push(await directory.definitions(vhost, { signal }));
  }
  return collected;
}
