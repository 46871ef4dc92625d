import { randomBytes } from "node:crypto";
import type { Broker } from "./brokers.ts";
import { createVhost, deleteVhost } from "./management.ts";

/** A virtual host of one test. */
export interface LabVhost extends AsyncDisposable {
  readonly broker: Broker;
  readonly name: string;
  /** `amqp://` address with credentials and this virtual host. */
  readonly url: string;
}

/**
 * A new, empty virtual host on a shared broker, deleted on disposal with everything in it. Tests share brokers and are
 * kept apart by this: `await using vhost = await freshVhost(broker)`.
 */
export async function freshVhost(broker: Broker, prefix = "lab"): Promise<LabVhost> {
  const name = `${prefix}-${randomBytes(6).toString("hex")}`;
  await createVhost(broker, name);
  return {
    broker,
    name,
    url: `${broker.amqpUrl}/${encodeURIComponent(name)}`,
    [Symbol.asyncDispose]: () => deleteVhost(broker, name),
  };
}
