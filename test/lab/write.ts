import { openQueueWriter, type QueueWriterOptions } from "../../src/adapters/amqp/queue-writer.ts";
import type { OutgoingMessage, QueueWriter } from "../../src/ports/queue-writer.ts";
import type { LabVhost } from "./vhost.ts";

/** mqbackup's own writer into a lab virtual host; `user` in place of the lab's own. */
export function labWriter(
  vhost: LabVhost,
  options: QueueWriterOptions & { readonly user?: string; readonly amqpUrl?: string } = {},
): Promise<QueueWriter> {
  const { user, amqpUrl, ...rest } = options;
  const url = new URL(amqpUrl ?? vhost.broker.amqpUrl);
  if (user !== undefined) {
    url.username = user;
    url.password = user;
  }
  return openQueueWriter(
    {
      urls: [url.href],
      vhost: vhost.name,
      tls: {},
      auth: "plain",
      heartbeatSeconds: 10,
      connectionName: "mqbackup test",
      connectTimeoutMs: 10_000,
    },
    rest,
  );
}

/** A message as a backup holds it; by default with nothing but a body and persistence. */
export function outgoing(
  body: string | Uint8Array,
  more: { readonly exchange?: string; readonly routingKey?: string; readonly properties?: Uint8Array } = {},
): OutgoingMessage {
  return {
    exchange: Buffer.from(more.exchange ?? "orders"),
    routingKey: Buffer.from(more.routingKey ?? "orders.new"),
    properties: more.properties ?? PERSISTENT,
    body: typeof body === "string" ? Buffer.from(body) : body,
  };
}

/** Property flags and list of a message with delivery mode 2 alone. */
export const PERSISTENT = Buffer.from("100002", "hex");
