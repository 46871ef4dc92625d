import { BackupError } from "./errors.ts";
import type { Manifest, QueueEntry, Reason } from "./manifest.ts";
import type { MessageChoice } from "./message-choice.ts";
import type { OriginTally } from "./origin-tally.ts";
import { mapQueueName } from "./queue-mapping.ts";
import { describeQueue, type QueueAddress } from "./queue.ts";
import type { RestoreRequest } from "./restore-request.ts";

export interface RestoreTarget {
  readonly source: QueueEntry;
  readonly destination: QueueAddress;
  /** Those of its messages that are wanted; null: all. */
  readonly choice: MessageChoice | null;
  /** Where they go back to; null: that is not what is asked for. */
  readonly tally: OriginTally | null;
  /** Wanted messages, and bytes of their bodies. */
  readonly messages: number;
  readonly bodyBytes: number;
}

export interface RestoreTargets {
  readonly targets: readonly RestoreTarget[];
  /** In the backup by name only: never read, so there is nothing to restore. */
  readonly left: readonly { readonly queue: QueueAddress; readonly reason: Reason }[];
  /** In the backup, but none of its messages is wanted. */
  readonly unselected: readonly QueueAddress[];
  readonly refusals: readonly Reason[];
}

/** Which queues of the backup go where. Throws NO_QUEUE_SELECTED. */
export function restoreTargets(manifest: Manifest, request: RestoreRequest): RestoreTargets {
  const selected = manifest.queues.filter((queue) => request.selects(queue));
  if (selected.length === 0) {
    const wanted = request.named.map(({ name }) => name).join(", ");
    const what =
      wanted === ""
        ? `no queue of backup ${manifest.id} is selected`
        : `backup ${manifest.id} holds no queue ${wanted}`;
    throw new BackupError("NO_QUEUE_SELECTED", what, {
      hint: `See the queues it holds with: mqbackup show ${manifest.id}.`,
    });
  }
  const targets = selected
    .filter((queue) => queue.outcome !== "skipped")
    .map((queue) => targetOf(queue, request));
  const left = selected
    .filter((queue) => queue.outcome === "skipped")
    .map(({ vhost, name, skipped }) => ({ queue: { vhost, name }, reason: skipped ?? UNKNOWN_REASON }));
  return {
    targets,
    left,
    unselected: [],
    refusals: [
      ...namedRefusals(manifest, request),
      ...mergeRefusals(targets, request),
      ...mappingRefusals(selected, request),
    ],
  };
}

const UNKNOWN_REASON: Reason = { code: "unknown", message: "the backup does not say why", hint: null };

function targetOf(source: QueueEntry, request: RestoreRequest): RestoreTarget {
  return {
    source,
    destination: {
      vhost: request.toVhost ?? source.vhost,
      name: mapQueueName(source.name, request.mappings),
    },
    choice: null,
    tally: null,
    messages: messagesOf(source),
    bodyBytes: source.bodyBytes,
  };
}

/** Messages the backup holds of a queue, itself or in others. */
export function messagesOf({ content }: QueueEntry): number {
  return content.reduce((sum, range) => sum + range.count, 0);
}

/** Where wanted message number `number`, from 0, stands in the queue of the backup. */
export function sequenceOf({ choice }: Pick<RestoreTarget, "choice">, number: number): number {
  return choice === null ? number : choice.sequenceOf(number);
}

function namedRefusals(manifest: Manifest, request: RestoreRequest): Reason[] {
  const refusals: Reason[] = [];
  for (const { vhost, name } of request.named) {
    const found = manifest.queues.filter(
      (queue) => queue.name === name && (vhost === null || queue.vhost === vhost),
    );
    if (found.length === 0) {
      refusals.push({
        code: "queue-missing",
        message: `backup ${manifest.id} holds no queue ${name}${vhost === null ? "" : ` of virtual host ${vhost}`}`,
        hint: `See the queues it holds with: mqbackup show ${manifest.id}.`,
      });
    }
    for (const queue of found.filter((entry) => entry.outcome === "skipped")) {
      const why = queue.skipped?.message ?? UNKNOWN_REASON.message;
      refusals.push({
        code: "queue-skipped",
        message: `${describeQueue(queue)} was not read by backup ${manifest.id}: ${why}`,
        hint: "Choose an older backup that holds it.",
      });
    }
  }
  return refusals;
}

function mergeRefusals(targets: readonly RestoreTarget[], request: RestoreRequest): Reason[] {
  // What goes back to its origin does not meet in a queue here.
  if (request.append || request.toOrigin) return [];
  const sources = new Map<string, RestoreTarget[]>();
  for (const target of targets) {
    const key = JSON.stringify([target.destination.vhost, target.destination.name]);
    sources.set(key, [...(sources.get(key) ?? []), target]);
  }
  return [...sources.values()].flatMap(([first, second]) => {
    if (!first || !second) return [];
    const both = `queue ${first.source.name} and queue ${second.source.name}`;
    const where = describeQueue(first.destination);
    return [
      {
        code: "same-destination",
        message: `${both} would both go to ${where}`,
        hint: "Map them to different names, or put one behind the other with --append.",
      },
    ];
  });
}

function mappingRefusals(selected: readonly QueueEntry[], request: RestoreRequest): Reason[] {
  const unused = request.mappings.filter((mapping) =>
    selected.every((queue) => mapping.rename(queue.name) === null),
  );
  return unused.map((mapping) => ({
    code: "mapping-unused",
    message: `--map ${mapping.text} matches none of the selected queues`,
    hint: "Check the name on its left side.",
  }));
}
