import { BackupError } from "./errors.ts";
import type { QueuePattern } from "./queue-pattern.ts";
import { describeQueue, type QueueAddress, type QueueInfo, type QueueType } from "./queue.ts";

/** No `queues` means all. `exclude` wins. */
export interface Selection {
  readonly queues: readonly QueuePattern[];
  readonly exclude: readonly QueuePattern[];
}

/** In AMQP-only mode nobody tells what the named queues are: this is the operator's word for all of them. */
export interface ToldFacts {
  readonly type: QueueType;
  readonly deliveryLimit: number | "unlimited" | null;
}

/**
 * The queues of `found` that the selection names, in the order of `found`. Queues of mqbackup's own are left out unless named exactly.
 * Throws QUEUE_MISSING when an exact name is in none of the virtual hosts searched, NO_QUEUE_SELECTED when nothing is left.
 */
export function selectQueues(
  found: readonly QueueInfo[],
  vhosts: readonly string[],
  selection: Selection,
): readonly QueueInfo[] {
  refuseMissing(found, vhosts, selection.queues);
  const selected = found.filter((queue) => isSelected(queue.name, selection));
  if (selected.length > 0) return selected;
  throw new BackupError("NO_QUEUE_SELECTED", `no queue selected: ${whyNone(found, vhosts, selection)}`, {
    hint: "Look at --queue, --exclude and --vhost; names are case-sensitive and the user must have a permission in the virtual host.",
  });
}

/** Whether the selection names a queue of this name. */
function isSelected(name: string, selection: Selection): boolean {
  if (selection.exclude.some((pattern) => pattern.matches(name))) return false;
  if (selection.queues.some((pattern) => pattern.exact === name)) return true;
  if (isOwnQueue(name)) return false;
  return selection.queues.length === 0 || selection.queues.some((pattern) => pattern.matches(name));
}

/** Without the management API: the queues named exactly, with what the operator told of them. Throws USAGE for wildcards or none. */
export function namedQueues(vhost: string, selection: Selection, told: ToldFacts): readonly QueueInfo[] {
  const names = new Set<string>();
  for (const { text, exact } of selection.queues) {
    if (exact === null) {
      throw new BackupError(
        "USAGE",
        `--queue ${text} has wildcards, and without the management API no queue can be looked up`,
        {
          hint: "Name every queue exactly, or make the management API reachable (--management-url).",
        },
      );
    }
    if (!selection.exclude.some((pattern) => pattern.matches(exact))) names.add(exact);
  }
  if (names.size === 0) {
    throw new BackupError("USAGE", "without the management API the queues must be named, and none is", {
      hint: "Name every queue exactly with --queue, or make the management API reachable (--management-url).",
    });
  }
  return [...names].map((name) => unknownQueue({ vhost, name }, told));
}

/** Queues mqbackup declares for itself. */
function isOwnQueue(name: string): boolean {
  return name.startsWith("mqbackup.");
}

function unknownQueue(address: QueueAddress, told: ToldFacts): QueueInfo {
  return {
    ...address,
    type: told.type,
    durable: null,
    autoDelete: null,
    exclusive: null,
    arguments: {},
    policy: null,
    operatorPolicy: null,
    effectivePolicy: {},
    deliveryLimit: told.deliveryLimit,
    delayedRetry: null,
    counts: { ready: null, unacknowledged: null },
    readyBytes: null,
    outOfReach: null,
    consumers: null,
    exclusiveConsumer: null,
    state: null,
  };
}

function refuseMissing(
  found: readonly QueueInfo[],
  vhosts: readonly string[],
  patterns: readonly QueuePattern[],
): void {
  const names = new Set(found.map((queue) => queue.name));
  const missing = patterns.flatMap(({ exact }) => (exact === null || names.has(exact) ? [] : [exact]));
  const [first] = missing;
  if (first === undefined) return;
  const [vhost] = vhosts;
  const what =
    missing.length === 1 && vhosts.length === 1 && vhost !== undefined
      ? `${describeQueue({ vhost, name: first })} does not exist`
      : `${missing.length === 1 ? "queue" : "queues"} ${missing.join(", ")} ${missing.length === 1 ? "does" : "do"} not exist in ${describeVhosts(vhosts)}`;
  throw new BackupError("QUEUE_MISSING", what, {
    hint: "Look at the spelling and at --vhost; a name with *, ?, [ or { is a pattern unless these are escaped with a backslash.",
  });
}

function whyNone(found: readonly QueueInfo[], vhosts: readonly string[], { queues }: Selection): string {
  if (found.every((queue) => isOwnQueue(queue.name)))
    return `${describeVhosts(vhosts)} ${vhosts.length === 1 ? "has" : "have"} no queues`;
  if (queues.length === 0) return `--exclude leaves none of ${found.length}`;
  return `none of ${found.length} in ${describeVhosts(vhosts)} matches ${queues.map(({ text }) => text).join(", ")}`;
}

function describeVhosts(vhosts: readonly string[]): string {
  return `virtual ${vhosts.length === 1 ? "host" : "hosts"} ${vhosts.join(", ")}`;
}
