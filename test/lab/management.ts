import type { Broker } from "./brokers.ts";

/** One call of the management API, JSON in and out. Rejects on every status but 2xx, naming it. */
export async function management(
  broker: Broker,
  method: "GET" | "PUT" | "POST" | "DELETE",
  path: string,
  body?: unknown,
): Promise<unknown> {
  const credentials = Buffer.from(`${broker.username}:${broker.password}`).toString("base64");
  const response = await fetch(broker.managementUrl + path, {
    method,
    headers: { authorization: `Basic ${credentials}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

export function managementGet(broker: Broker, path: string): Promise<unknown> {
  return management(broker, "GET", path);
}

/** The full version the broker states, like `4.3.6`. */
export async function brokerVersion(broker: Broker): Promise<string> {
  const overview = await managementGet(broker, "/api/overview");
  if (typeof overview === "object" && overview !== null && "rabbitmq_version" in overview) {
    return String(overview.rabbitmq_version);
  }
  throw new Error("overview without a version");
}

/** Creates a virtual host; the lab's own user gets all permissions in it. */
export async function createVhost(broker: Broker, name: string): Promise<void> {
  await management(broker, "PUT", `/api/vhosts/${encodeURIComponent(name)}`, {});
}

/** Deletes a virtual host with its queues; its connections are closed by the broker. */
export async function deleteVhost(broker: Broker, name: string): Promise<void> {
  await management(broker, "DELETE", `/api/vhosts/${encodeURIComponent(name)}`);
}

export interface UserRequest {
  readonly name: string;
  readonly password: string;
  /** Such as `monitoring` or `management`; none by default: AMQP only. */
  readonly tags?: readonly string[];
  /** Regular expressions per virtual host, as the broker wants them; `""` permits nothing. */
  readonly permissions: readonly {
    readonly vhost: string;
    readonly configure: string;
    readonly write: string;
    readonly read: string;
  }[];
}

/** Creates a user with exactly these rights. */
export async function createUser(broker: Broker, user: UserRequest): Promise<void> {
  const name = encodeURIComponent(user.name);
  await management(broker, "PUT", `/api/users/${name}`, {
    password: user.password,
    tags: (user.tags ?? []).join(","),
  });
  for (const { vhost, ...rights } of user.permissions) {
    await management(broker, "PUT", `/api/permissions/${encodeURIComponent(vhost)}/${name}`, rights);
  }
}

export async function deleteUser(broker: Broker, name: string): Promise<void> {
  await management(broker, "DELETE", `/api/users/${encodeURIComponent(name)}`);
}

/** Sets a policy for queues, such as `{ "max-length": 10 }`. */
export async function setPolicy(
  broker: Broker,
  vhost: string,
  name: string,
  policy: { readonly pattern: string; readonly definition: Readonly<Record<string, unknown>> },
): Promise<void> {
  const path = `/api/policies/${encodeURIComponent(vhost)}/${encodeURIComponent(name)}`;
  await management(broker, "PUT", path, { "apply-to": "queues", ...policy });
}
