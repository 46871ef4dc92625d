import { randomBytes } from "node:crypto";
import type { Broker } from "./brokers.ts";
import { createUser, deleteUser, managementGet } from "./management.ts";
import type { Scene } from "./scene.ts";

/** A user as the README asks for, for drills: one tag, and no permission in any virtual host there is. */
export interface DrillUser extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  /** An AMQP address by another port: that of a proxy. */
  url(port: number): string;
}

/** At `broker`, with the scene's password and the scene's target. */
export async function drillUser(
  scene: Scene,
  tags: readonly string[] = ["administrator"],
  broker: Broker = scene.broker,
): Promise<DrillUser> {
  const name = `drill-${randomBytes(6).toString("hex")}`;
  await createUser(broker, { name, password: scene.password, tags, permissions: [] });
  const url = (port: number): string =>
    `amqp://${name}:${encodeURIComponent(scene.password)}@${broker.host}:${port}`;
  return {
    env: { MQBACKUP_URL: url(broker.amqpPort), MQBACKUP_MANAGEMENT_URL: broker.managementUrl },
    url,
    [Symbol.asyncDispose]: () => deleteUser(broker, name),
  };
}

/** Names of the virtual hosts that drills have made and not removed. */
export async function scratchAt(broker: Broker): Promise<readonly string[]> {
  const vhosts = await managementGet(broker, "/api/vhosts?columns=name");
  if (!Array.isArray(vhosts)) throw new Error("no list of virtual hosts");
  return vhosts
    .map((vhost: { readonly name: string }) => vhost.name)
    .filter((name) => name.startsWith("mqbackup.drill."));
}

/** What is defined in a virtual host, to be compared. */
export async function definitionsOf({ broker, vhost }: Scene): Promise<unknown> {
  return managementGet(broker, `/api/definitions/${encodeURIComponent(vhost.name)}`);
}
