import type { Abortable } from "../../ports/abortable.ts";
import type { Alarm, BrokerDirectory } from "../../ports/broker-directory.ts";
import { readDefinitions } from "./definitions.ts";
import { HttpJson, type ManagementEndpoint } from "./http-json.ts";
import { ManagementApi } from "./management-api.ts";
import { countOf, listOf, objectOf, textOf } from "./queue-facts.ts";
import { listQueues, lookUpQueue } from "./queue-listing.ts";

export interface ManagementDirectory extends BrokerDirectory, Disposable {}

/** The broker as RabbitMQ's management API describes it. The user needs the tag `management`; `monitoring` for `memory`. */
export function managementDirectory(endpoint: ManagementEndpoint): ManagementDirectory {
  const http = new HttpJson(endpoint);
  const api = new ManagementApi(http);
  return {
    describe: (options) => describe(api, options),
    vhosts: (options) => vhosts(api, options),
    queues: (vhost, options) => listQueues(api, vhost, options),
    queue: (vhost, name, options) => lookUpQueue(api, vhost, name, options),
    alarms: (options) => alarms(api, options),
    memory: (options) => memory(api, options),
    definitions: (vhost, options) => readDefinitions(api, vhost, options),
    [Symbol.dispose]: () => http[Symbol.dispose](),
  };
}

async function describe(api: ManagementApi, options?: Abortable) {
  const overview = objectOf(
    await api.get("/overview?columns=rabbitmq_version,product_name,product_version,cluster_name", options),
  );
  const version = textOf(overview?.["product_version"]) ?? textOf(overview?.["rabbitmq_version"]);
  if (overview === null || version === null) throw api.unexpected("/overview");
  return {
    product: textOf(overview["product_name"]) ?? "RabbitMQ",
    version,
    clusterName: textOf(overview["cluster_name"]),
  };
}

async function vhosts(api: ManagementApi, options?: Abortable): Promise<readonly string[]> {
  const answer = listOf(await api.get("/vhosts?columns=name", options));
  if (answer === null) throw api.unexpected("/vhosts");
  return answer.flatMap((vhost) => textOf(vhost["name"]) ?? []).toSorted(byCodeUnit);
}

/** 200 without, 503 with alarms. */
async function alarms(api: ManagementApi, options?: Abortable): Promise<readonly Alarm[]> {
  const answer = objectOf(await api.get("/health/checks/alarms", { ...options, alsoStatus: 503 }));
  if (answer === null) throw api.unexpected("/health/checks/alarms");
  if (answer["status"] === "ok") return [];
  const found = listOf(answer["alarms"]);
  if (found === null) throw api.unexpected("/health/checks/alarms");
  return found.map((alarm) => ({
    node: textOf(alarm["node"]) ?? "unknown",
    resource: textOf(alarm["resource"]) ?? "unknown",
  }));
}

async function memory(api: ManagementApi, options?: Abortable) {
  const nodes = listOf(await api.getIfAllowed("/nodes?columns=name,mem_used,mem_limit", options));
  if (nodes === null) return null;
  return nodes.flatMap((node) => {
    const [usedBytes, limitBytes] = [countOf(node["mem_used"]), countOf(node["mem_limit"])];
    // A node that is down, or does not collect measurements, tells nothing.
    if (usedBytes === null || limitBytes === null) return [];
    return { node: textOf(node["name"]) ?? "unknown", usedBytes, limitBytes };
  });
}

function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
