import { countOf, objectOf, textOf, type JsonObject } from "./queue-facts.ts";

/** All policies of one virtual host. */
export interface PolicyBook {
  readonly policies: readonly JsonObject[];
  readonly operatorPolicies: readonly JsonObject[];
}

/**
 * The policy fields of a queue that does not tell what its policies amount to. The broker always tells the policy's name; up to 4.2
 * not that of the operator policy, which is then found by its pattern.
 */
export function effectivePolicies(facts: JsonObject, queue: string, book: PolicyBook): JsonObject {
  if (objectOf(facts["effective_policy_definition"]) !== null) return {};
  const policy = book.policies.find((candidate) => candidate["name"] === facts["policy"]);
  const operatorPolicy =
    book.operatorPolicies.find((candidate) => candidate["name"] === facts["operator_policy"]) ??
    matching(book.operatorPolicies, queue, textOf(facts["type"]));
  return {
    policy: textOf(policy?.["name"]),
    operator_policy: textOf(operatorPolicy?.["name"]),
    effective_policy_definition: merged(
      objectOf(policy?.["definition"]),
      objectOf(operatorPolicy?.["definition"]),
    ),
  };
}

/** Of both policies: the operator's values, but of limits the smaller. */
function merged(user: JsonObject | null, operator: JsonObject | null): JsonObject {
  const both: Record<string, unknown> = { ...user };
  for (const [key, limit] of Object.entries(operator ?? {})) {
    const own = countOf(both[key]);
    const its = countOf(limit);
    both[key] = own === null || its === null ? limit : Math.min(own, its);
  }
  return both;
}

/** The highest priority wins. A pattern this engine cannot compile is taken to match: its limits then bind us, not the other way. */
function matching(
  policies: readonly JsonObject[],
  queue: string,
  type: string | null,
): JsonObject | undefined {
  return policies
    .filter(
      (policy) => appliesTo(policy["apply-to"], type) && matches(textOf(policy["pattern"]) ?? "", queue),
    )
    .toSorted((a, b) => (countOf(b["priority"]) ?? 0) - (countOf(a["priority"]) ?? 0))[0];
}

function appliesTo(target: unknown, type: string | null): boolean {
  if (target === "exchanges") return false;
  if (target === "classic_queues") return type === "classic";
  if (target === "quorum_queues") return type === "quorum";
  if (target === "streams") return type === "stream";
  return true;
}

function matches(pattern: string, queue: string): boolean {
  try {
    return new RegExp(pattern, "s").test(queue);
  } catch {
    return true;
  }
}
