import { BackupError } from "../../domain/errors.ts";
import { isScratchName, SCRATCH_TAG, type ScratchHost } from "../../domain/scratch-host.ts";
import type { Abortable } from "../../ports/abortable.ts";
import type { ScratchHosts } from "../../ports/scratch-hosts.ts";
import { HttpJson, type ManagementEndpoint } from "./http-json.ts";
import { ManagementApi } from "./management-api.ts";
import { listOf, objectOf, textOf, type JsonObject } from "./queue-facts.ts";

export interface ManagementScratchHosts extends ScratchHosts, Disposable {}

/** `user`: of the AMQP connections, who need not be the one that makes them. */
export function scratchVhosts(endpoint: ManagementEndpoint, user: string): ManagementScratchHosts {
  const http = new HttpJson(endpoint);
  const api = new ManagementApi(http);
  return {
    list: (options) => list(api, options),
    create: async ({ name, description }, options) =>
      api.put(pathOf(name), { description, tags: SCRATCH_TAG }, options),
    permit: async (name, options) => api.put(permissionsPath(name, user), EVERYTHING, options),
    remove: async (name, options) => api.delete(pathOf(name), options),
    isInUse: (name, options) => isInUse(api, name, options),
    mayImpersonate: (options) => mayImpersonate(api, user, options),
    [Symbol.dispose]: () => http[Symbol.dispose](),
  };
}

async function list(api: ManagementApi, options?: Abortable): Promise<readonly ScratchHost[]> {
  const path = "/vhosts?columns=name,description,tags";
  const vhosts = listOf(await api.get(path, options));
  if (vhosts === null) throw api.unexpected(path);
  return vhosts.flatMap((vhost) => {
    const name = textOf(vhost["name"]) ?? "";
    if (!isScratchName(name) || !tagsOf(vhost).includes(SCRATCH_TAG)) return [];
    return [{ name, description: textOf(vhost["description"]) ?? "" }];
  });
}

async function isInUse(api: ManagementApi, name: string, options?: Abortable): Promise<boolean> {
  const path = `${pathOf(name)}/connections?columns=name`;
  const answer = await api.getOrNull(path, options);
  if (answer === null) return false;
  const connections = listOf(answer);
  if (connections === null) throw api.unexpected(path);
  return connections.length > 0;
}

/** Users that are kept elsewhere have no tags here. */
async function mayImpersonate(api: ManagementApi, user: string, options?: Abortable): Promise<boolean> {
  const facts = objectOf(
    await api.getOrNull(`/users/${encodeURIComponent(user)}?columns=name,tags`, options),
  );
  return facts !== null && tagsOf(facts).includes("impersonator");
}

/** A list, before 3.9 a text with commas. */
function tagsOf(facts: JsonObject): readonly string[] {
  const tags = facts["tags"];
  if (typeof tags === "string") return tags.split(",");
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
}

const EVERYTHING = { configure: ".*", write: ".*", read: ".*" };

function permissionsPath(name: string, user: string): string {
  return `/permissions${pathOf(name).replace("/vhosts", "")}/${encodeURIComponent(user)}`;
}

/** Whatever else goes wrong: nothing but a drill's own virtual hosts is changed here. */
function pathOf(name: string): string {
  if (isScratchName(name)) return `/vhosts/${encodeURIComponent(name)}`;
  throw new BackupError("INTERNAL", `virtual host ${name} is not one of a drill`);
}
