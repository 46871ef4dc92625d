import { effectiveDeliveryLimit } from "./delivery-limit.ts";
import type { BrokerInfo, QueueInfo } from "./queue.ts";
import type { Danger, HoldRecipe, ReadingPolicy, ReadingRecipe, ReadingVerdict } from "./reading-recipe.ts";
import { atLeast } from "./version.ts";

/** basic.get takes a round trip for a handful of messages: beyond this a hold would take too long. */
const GET_AT_MOST = 10_000;
/** More consumers on one channel come back in no particular order before 4.3: Erlang maps of more than 32 keys have none. */
const CONSUMERS_BEFORE_4_3 = 32;

/** Codes for `--accept`. */
export const ACCEPT_SAC_TAKEOVER = "sac-takeover";
export const ACCEPT_HOLD_MEMORY = "hold-memory";
export const ACCEPT_IN_FLIGHT = "in-flight";

/** Decides how a queue can be read and left as it was found, or why it cannot. Pure: the measured rules of every type and version. */
export function planReading(queue: QueueInfo, broker: BrokerInfo, policy: ReadingPolicy): ReadingVerdict {
  const result = decide(queue, broker, policy);
  if (isDanger(result)) return { queue, recipe: null, danger: result, costs: [] };
  return { queue, recipe: result.recipe, danger: null, costs: result.costs };
}

interface Readable {
  readonly recipe: ReadingRecipe;
  readonly costs: readonly string[];
}

function isDanger(result: Readable | Danger): result is Danger {
  return "code" in result;
}

function decide(queue: QueueInfo, broker: BrokerInfo, policy: ReadingPolicy): Readable | Danger {
  if (queue.exclusive === true) {
    return danger(
      "exclusive",
      "it is an exclusive queue: only the connection that declared it can read it",
      "It ends with that connection; nothing can back it up.",
    );
  }
  if (queue.state !== null && !READABLE_STATES.has(queue.state)) {
    return danger(
      "state",
      `the broker says it is ${queue.state}`,
      "Bring the queue back first; rabbitmqctl list_queues name state shows it.",
    );
  }
  switch (queue.type) {
    case "classic":
      return decideClassic(queue, policy);
    case "quorum":
      return decideQuorum(queue, broker, policy);
    case "stream":
      return decideStream(policy);
    case "other":
      return danger("type", "it is of a type this version does not know", "Leave it out with --exclude.");
    case "unknown":
      return danger(
        "type-unknown",
        "its type is not known without the management API, and the wrong way of reading loses order or messages",
        "Name the type with --queue-type, or give --management-url.",
      );
  }
}

const READABLE_STATES: ReadonlySet<string> = new Set(["running", "idle", "flow", "syncing"]);

function decideClassic(queue: QueueInfo, policy: ReadingPolicy): Readable | Danger {
  if (queue.autoDelete === true)
    return byGet(queue, policy, "it is deleted with its last consumer (auto-delete)");
  if (queue.exclusiveConsumer === true) return byGet(queue, policy, "another consumer uses it exclusively");
  if (isSingleActive(queue) && (queue.consumers === null || queue.consumers > 0)) {
    return byGet(queue, policy, "only its single active consumer is given messages");
  }
  const costs = ["sets the redelivered flag of every message read"];
  if (isSingleActive(queue))
    costs.push("a consumer that attaches meanwhile gets nothing until the reading ends");
  // One act of the queue: between a cancel and a nack, consumers that wait would be given newer messages.
  return { recipe: hold(policy, { release: "close", windowed: false, maxConsumers: 1 }), costs };
}

function byGet(queue: QueueInfo, policy: ReadingPolicy, why: string): Readable | Danger {
  const expires = queue.arguments["x-expires"] ?? queue.effectivePolicy["expires"];
  if (expires !== undefined && expires !== null) {
    return danger(
      "get-expires",
      `${why}, so it can only be read with basic.get, which does not keep it from expiring (x-expires) with all that is held`,
      "Remove the expiry for the time of the backup, or leave it out with --exclude.",
    );
  }
  if (policy.drain) {
    return danger("drain-get", `${why}: draining it is not supported`, "Back it up without --drain.");
  }
  const ready = queue.counts.ready;
  if (ready !== null && ready > GET_AT_MOST) {
    return danger(
      "get-too-many",
      `${why}, so it can only be read one by one, and it holds ${ready} messages (at most ${GET_AT_MOST})`,
      "Read it when it is shorter, or leave it out with --exclude.",
    );
  }
  return {
    recipe: { kind: "get", maxMessages: GET_AT_MOST },
    costs: ["sets the redelivered flag of every message read", `read with basic.get: ${why}`],
  };
}

function decideStream(policy: ReadingPolicy): Readable | Danger {
  if (policy.drain) {
    return danger(
      "drain-stream",
      "a stream cannot be drained: only its retention removes messages",
      "Back it up without --drain.",
    );
  }
  return {
    recipe: { kind: "stream", from: "first" },
    costs: [
      "nothing on the queue changes; header tables and arrays of its messages are dropped by the broker itself",
    ],
  };
}

function decideQuorum(queue: QueueInfo, broker: BrokerInfo, policy: ReadingPolicy): Readable | Danger {
  const since4 = atLeast(broker.version, 4, 0);
  const since43 = atLeast(broker.version, 4, 3);
  if (since4 === null || since43 === null) {
    return danger(
      "version",
      `the broker's version (${broker.version}) cannot be read, and the safe way depends on it`,
      "Report this version.",
    );
  }
  const limit = effectiveDeliveryLimit(queue, since4);
  if (limit === null) {
    return danger(
      "delivery-limit-unknown",
      "its delivery limit is not known",
      "Name it with --delivery-limit, or give --management-url.",
    );
  }
  const costs = ["sets the redelivered flag and raises a delivery count of every message read"];
  const single = singleActive(queue, since4, policy, costs);
  if (single !== null) return single;
  const maxConsumers = isSingleActive(queue) ? 1 : since43 ? Infinity : CONSUMERS_BEFORE_4_3;
  const retry = delayedRetry(queue);
  if (retry === "all") {
    return danger(
      "delayed-retry",
      "its delayed retry (all) delays every message that is given back, out of order",
      "Set delayed-retry-type to failed or disabled for the time of the backup, or leave it out with --exclude.",
    );
  }
  costs.push("messages given back lose their priority against newer ones of higher priority");
  const shape = { windowed: true, maxConsumers, consumerTimeout: since43 };
  if (since43 && retry !== "returned") {
    if (isSingleActive(queue))
      costs.push("messages published meanwhile may reach a consumer before those read");
    const proveLimit = limit === "unlimited" ? null : limit;
    return { recipe: { ...hold(policy, { release: "nack", ...shape }), proveLimit }, costs };
  }
  if (limit === "unlimited") return { recipe: hold(policy, { release: "close", ...shape }), costs };
  return spending(limit, broker, policy, shape, costs);
}

function spending(
  limit: number,
  broker: BrokerInfo,
  policy: ReadingPolicy,
  shape: Pick<HoldRecipe, "windowed" | "maxConsumers" | "consumerTimeout">,
  costs: readonly string[],
): Readable | Danger {
  if (limit < 1) {
    return danger(
      "delivery-limit",
      `its delivery limit is ${limit}: on RabbitMQ ${broker.version} whatever is read and given back is deleted or dead-lettered`,
      "Raise the limit first, or leave the queue out with --exclude.",
    );
  }
  const keep = policy.keepDeliveries;
  if (keep === null) {
    return danger(
      "delivery-limit",
      `on RabbitMQ ${broker.version} every reading costs each message one of its ${limit} deliveries (delivery limit); the last one deletes or dead-letters it`,
      `Accept the cost with --keep-deliveries ${Math.max(2, Math.min(5, limit))}: reading stops at the first message that would keep fewer.`,
      "--keep-deliveries",
    );
  }
  if (keep > limit) {
    return danger(
      "delivery-limit",
      `its delivery limit is ${limit}, less than the ${keep} deliveries to be kept`,
      "Lower --keep-deliveries or raise the limit.",
    );
  }
  return {
    recipe: { ...hold(policy, { release: "close", ...shape }), budget: { limit, keep } },
    costs: [...costs, `spends one of ${limit} deliveries of every message read; at least ${keep} are kept`],
  };
}

/** null: it can be read like any other. Adds what that costs. */
function singleActive(
  queue: QueueInfo,
  since4: boolean,
  policy: ReadingPolicy,
  costs: string[],
): Danger | null {
  if (!isSingleActive(queue)) return null;
  if (queue.consumers === 0) {
    costs.push("a consumer that attaches meanwhile gets nothing until the reading ends");
    return null;
  }
  if (!since4) {
    return danger(
      "sac",
      "its single active consumer is attached, and on this version nobody else can read",
      "Read it while that consumer is away.",
    );
  }
  if (policy.accept.has(ACCEPT_SAC_TAKEOVER) && policy.priority > 0) {
    costs.push("takes over from the single active consumer, which gets nothing until the reading ends");
    return null;
  }
  return danger(
    "sac",
    "its single active consumer is attached and would be interrupted for the time of the reading",
    `Accept that with --accept ${ACCEPT_SAC_TAKEOVER} and a --reader-priority above that consumer's, or read it while that consumer is away.`,
    `--accept ${ACCEPT_SAC_TAKEOVER}`,
  );
}

function hold(
  policy: ReadingPolicy,
  shape: Pick<HoldRecipe, "release" | "windowed" | "maxConsumers"> & { readonly consumerTimeout?: boolean },
): HoldRecipe {
  return {
    kind: "hold",
    consumerTimeout: false,
    priority: policy.priority,
    budget: null,
    proveLimit: null,
    ...shape,
  };
}

function isSingleActive(queue: QueueInfo): boolean {
  return queue.arguments["x-single-active-consumer"] === true;
}

/** The broker's word, else the policy, which beats the argument; null: none that matters. A word nobody knows is taken for the worst. */
function delayedRetry(queue: QueueInfo): "all" | "returned" | null {
  const set =
    queue.delayedRetry ??
    queue.effectivePolicy["delayed-retry-type"] ??
    queue.arguments["x-delayed-retry-type"] ??
    "disabled";
  if (set === "disabled" || set === "failed") return null;
  return set === "returned" ? "returned" : "all";
}

function danger(code: string, message: string, hint: string, flag: string | null = null): Danger {
  return { code, message, hint, flag };
}

/** How a queue was read, for the manifest and for people. */
export function describeRecipe(recipe: ReadingRecipe): string {
  switch (recipe.kind) {
    case "get":
      return "basic.get, then close the channel";
    case "stream":
      return "consume from the first offset";
    case "hold":
      return recipe.release === "nack"
        ? "consume without acknowledging, then cancel and nack in bulk"
        : "consume without acknowledging, then close the channel";
  }
}
