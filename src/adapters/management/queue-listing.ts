import { BackupError } from "../../domain/errors.ts";
import type { QueueInfo } from "../../domain/queue.ts";
import type { Abortable } from "../../ports/abortable.ts";
import { currentFacts, KEPT_COLUMNS } from "./current-facts.ts";
import { effectivePolicies, type PolicyBook } from "./effective-policies.ts";
import type { ManagementApi } from "./management-api.ts";
import { listOf, objectOf, queueInfo, QUEUE_COLUMNS, textOf, type JsonObject } from "./queue-facts.ts";

/**
 * Every queue of a virtual host, sorted by name. Throws VHOST_MISSING.
 *
 * One answer with all of them: 10,000 queues are 3.5 MB. Pages (500 at most) make the broker sort all queues for each, four times as
 * long for 10,000 and growing with the square, and between two pages queues come and go, so that one could be missed.
 */
export async function listQueues(
  api: ManagementApi,
  vhost: string,
  options: Abortable = {},
): Promise<readonly QueueInfo[]> {
  const path = `/queues/${encodeURIComponent(vhost)}?columns=${QUEUE_COLUMNS}`;
  const answer = await api.getOrNull(path, options);
  if (answer === null) throw vhostMissing(vhost);
  const queues = listOf(answer);
  if (queues === null) throw api.unexpected(path);
  const found = new Map(queues.map((facts) => [textOf(facts["name"]) ?? "", facts]));
  const whole = await withCurrentPolicies(api, vhost, found, options);
  return [...whole]
    .map(([name, facts]) => queueInfo(facts, vhost, name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** One queue; null: it does not exist. */
export async function lookUpQueue(
  api: ManagementApi,
  vhost: string,
  name: string,
  options: Abortable = {},
): Promise<QueueInfo | null> {
  const facts = await factsOf(api, vhost, name, options);
  if (facts === null) return null;
  const whole = await withCurrentPolicies(api, vhost, new Map([[name, facts]]), options);
  return queueInfo(whole.get(name) ?? facts, vhost, name);
}

async function factsOf(
  api: ManagementApi,
  vhost: string,
  name: string,
  options: Abortable,
): Promise<JsonObject | null> {
  const path = `/queues/${encodeURIComponent(vhost)}/${encodeURIComponent(name)}?columns=${QUEUE_COLUMNS}`;
  return objectOf(await api.getOrNull(path, options));
}

/** Throws as `listQueues`. */
async function withCurrentPolicies(
  api: ManagementApi,
  vhost: string,
  found: ReadonlyMap<string, JsonObject>,
  options: Abortable,
): Promise<ReadonlyMap<string, JsonObject>> {
  if (found.size === 0) return found;
  const kept = await keptFacts(api, vhost, [...found.keys()], options);
  const whole = new Map<string, JsonObject>();
  for (const [name, measured] of found) whole.set(name, currentFacts(measured, kept.get(name) ?? measured));
  const open = [...whole].filter(([, facts]) => objectOf(facts["effective_policy_definition"]) === null);
  if (open.length === 0) return whole;
  const policies = await policyBook(api, vhost, options);
  for (const [name, facts] of open)
    whole.set(name, { ...facts, ...effectivePolicies(facts, name, policies) });
  return whole;
}

/** Only lists can be had without statistics; the look at one queue has none of this. */
async function keptFacts(
  api: ManagementApi,
  vhost: string,
  names: readonly string[],
  options: Abortable,
): Promise<ReadonlyMap<string, JsonObject>> {
  const path = `/queues/${encodeURIComponent(vhost)}?disable_stats=true&columns=${KEPT_COLUMNS}`;
  const [only] = names;
  const filter = names.length === 1 && only !== undefined ? `&page=1&page_size=10${nameFilter(only)}` : "";
  const answer = await api.getOrNull(path + filter, options);
  if (answer === null) throw vhostMissing(vhost);
  const items = listOf(filter === "" ? answer : objectOf(answer)?.["items"]);
  if (items === null) throw api.unexpected(path);
  return new Map(items.map((facts) => [textOf(facts["name"]) ?? "", facts]));
}

function nameFilter(name: string): string {
  const pattern = `^${name.replaceAll(/[!-/:-@[-^`{-~]/g, String.raw`\$&`)}$`;
  return `&use_regex=true&name=${encodeURIComponent(pattern)}`;
}

async function policyBook(api: ManagementApi, vhost: string, options: Abortable): Promise<PolicyBook> {
  const at = encodeURIComponent(vhost);
  const policies = listOf(await api.get(`/policies/${at}`, options));
  const operatorPolicies = listOf(await api.get(`/operator-policies/${at}`, options));
  if (policies === null || operatorPolicies === null) throw api.unexpected("/policies");
  return { policies, operatorPolicies };
}

function vhostMissing(vhost: string): BackupError {
  return new BackupError(
    "VHOST_MISSING",
    `virtual host ${vhost} does not exist, or the user has no permission in it`,
    {
      hint: "Look at --vhost and at the path of --url; the default virtual host is called / and is written %2F in a URL.",
    },
  );
}
