import { objectOf, textOf, type JsonObject } from "./queue-facts.ts";

/** What the broker keeps beside its statistics of queues: asked for with `disable_stats=true`. */
export const KEPT_COLUMNS = "name,policy,operator_policy,effective_policy_definition,delivery_limit";

/**
 * Statistics are up to ten seconds old, and none of a queue that is younger: a policy just set is not in them, and reading by the
 * wrong settings costs messages. What is kept beside them is of now: the policy's name everywhere, from 4.3 on also what it amounts to.
 * Where that is not known `effective_policy_definition` is left away.
 */
export function currentFacts(measured: JsonObject, kept: JsonObject): JsonObject {
  const { effective_policy_definition, delivery_limit, delayed_retry, ...rest } = measured;
  const policy = nameOf(kept["policy"]);
  const keptEffective = objectOf(kept["effective_policy_definition"]);
  const before = objectOf(effective_policy_definition);
  const effective = keptEffective ?? (nameOf(measured["policy"]) === policy ? before : null);
  const isCurrent = before !== null && effective !== null && same(before, effective);
  return {
    ...rest,
    policy,
    ...("operator_policy" in kept ? { operator_policy: kept["operator_policy"] } : {}),
    ...(effective === null ? {} : { effective_policy_definition: effective }),
    delivery_limit: kept["delivery_limit"] ?? (isCurrent ? delivery_limit : undefined),
    delayed_retry: isCurrent ? delayed_retry : delayedRetryBy(keptEffective, objectOf(measured["arguments"])),
  };
}

/** A policy goes before an argument; only 4.3 knows either. */
function delayedRetryBy(effective: JsonObject | null, args: JsonObject | null): unknown {
  return effective === null ? undefined : (effective["delayed-retry-type"] ?? args?.["x-delayed-retry-type"]);
}

/** Some versions say "" for none, some nothing. */
function nameOf(value: unknown): string | null {
  const name = textOf(value);
  return name === "" ? null : name;
}

function same(a: JsonObject, b: JsonObject): boolean {
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => JSON.stringify(a[key]) === JSON.stringify(b[key]))
  );
}
