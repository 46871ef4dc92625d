import type { QueueInfo, QueueType } from "../../domain/queue.ts";

/** An object of an answer, its fields not looked at yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What is asked of every queue. Without naming columns an answer is three times as long. */
export const QUEUE_COLUMNS = [
  "name,vhost,type,durable,exclusive,auto_delete,arguments,state",
  "policy,operator_policy,effective_policy_definition,delivery_limit,delayed_retry",
  "messages_ready,messages_unacknowledged,message_bytes_ready,messages_delayed,messages_dlx",
  "consumers,exclusive_consumer_tag",
].join(",");

/**
 * A queue as the management API describes it. Counters come late and not always together: a queue some seconds old has none,
 * then those of its process, then the ready ones. What is not there is null.
 */
export function queueInfo(facts: JsonObject, vhost: string, name: string): QueueInfo {
  const consumers = countOf(facts["consumers"]);
  return {
    vhost,
    name,
    type: typeOf(facts["type"]),
    durable: booleanOf(facts["durable"]),
    autoDelete: booleanOf(facts["auto_delete"]),
    exclusive: booleanOf(facts["exclusive"]),
    arguments: objectOf(facts["arguments"]) ?? {},
    policy: policyName(facts["policy"]),
    operatorPolicy: policyName(facts["operator_policy"]),
    effectivePolicy: objectOf(facts["effective_policy_definition"]) ?? {},
    deliveryLimit: deliveryLimit(facts["delivery_limit"]),
    delayedRetry: delayedRetry(facts["delayed_retry"]),
    counts: {
      ready: countOf(facts["messages_ready"]),
      unacknowledged: countOf(facts["messages_unacknowledged"]),
    },
    readyBytes: countOf(facts["message_bytes_ready"]),
    outOfReach: outOfReach(facts),
    consumers,
    exclusiveConsumer: exclusiveConsumer(facts["exclusive_consumer_tag"], consumers),
    state: textOf(facts["state"]),
  };
}

export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

export function countOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}

function booleanOf(value: unknown): boolean | null {
  return typeof value === "boolean" ? value : null;
}

/** An empty object comes as an empty list from some versions. */
export function objectOf(value: unknown): JsonObject | null {
  if (Array.isArray(value)) return value.length === 0 ? {} : null;
  return isObject(value) ? value : null;
}

export function listOf(value: unknown): readonly JsonObject[] | null {
  return Array.isArray(value) ? value.filter(isObject) : null;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null;
}

function typeOf(value: unknown): QueueType {
  if (value === "classic" || value === "quorum" || value === "stream") return value;
  return typeof value === "string" ? "other" : "unknown";
}

/** Older versions say "" for none. */
function policyName(value: unknown): string | null {
  const name = textOf(value);
  return name === "" ? null : name;
}

function deliveryLimit(value: unknown): number | "unlimited" | null {
  if (value === "unlimited") return "unlimited";
  if (typeof value !== "number") return null;
  return value < 0 ? "unlimited" : value;
}

/** The first word of what 4.3 says, e.g. "disabled", "all (min: 1000ms, max: 1000ms)". */
function delayedRetry(value: unknown): string | null {
  return /^\S+/.exec(textOf(value) ?? "")?.[0] ?? null;
}

function outOfReach(facts: JsonObject): number | null {
  const delayed = countOf(facts["messages_delayed"]);
  const deadLettering = countOf(facts["messages_dlx"]);
  return delayed === null && deadLettering === null ? null : (delayed ?? 0) + (deadLettering ?? 0);
}

/** Only classic queues know exclusive consumers, and none is told by leaving the tag away. */
function exclusiveConsumer(tag: unknown, consumers: number | null): boolean | null {
  if (typeof tag === "string" && tag !== "") return true;
  return consumers === null ? null : false;
}
