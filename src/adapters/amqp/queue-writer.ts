import { BackupError } from "../../domain/errors.ts";
import type { QueueAddress } from "../../domain/queue.ts";
import type { Abortable } from "../../ports/abortable.ts";
import type { QueueWriter } from "../../ports/queue-writer.ts";
import type { PublishLimits } from "./confirm-publisher.ts";
import { openConnection, type AmqpConnection, type AmqpEndpoint } from "./connection.ts";
import { openPublication } from "./queue-publication.ts";
import { declareBinding, declareExchange, declareQueue, inspectQueue } from "./topology.ts";

/** Four thousand messages keep every broker tried busy; more only lengthens the wait for a confirm. */
const PUBLISH_LIMITS: PublishLimits = {
  windowMessages: 4096,
  windowBytes: 32 * 1024 * 1024,
  chunkBytes: 128 * 1024,
  alarmMs: 60_000,
  silenceMs: 120_000,
};

export interface QueueWriterOptions extends Abortable {
  readonly limits?: Partial<PublishLimits>;
}

/**
 * Writes over AMQP 0-9-1 into the endpoint's virtual host. Every publication has a connection of its own, so that the refusal of one
 * queue stops no other; questions and declarations go over one that never publishes, and so is never blocked by an alarm.
 * Throws BROKER_UNREACHABLE, LOGIN_REFUSED, VHOST_MISSING.
 */
export async function openQueueWriter(
  endpoint: AmqpEndpoint,
  options: QueueWriterOptions = {},
): Promise<QueueWriter> {
  const connection = await openConnection(endpoint, options);
  const limits = { ...PUBLISH_LIMITS, ...options.limits };
  return {
    url: connection.url,
    broker: connection.broker,
    async inspect(queue) {
      return inspectQueue(connection, local(connection, endpoint, queue));
    },
    async declareQueue(queue) {
      local(connection, endpoint, queue);
      await declareQueue(connection, queue);
    },
    declareExchange: (exchange) => declareExchange(connection, exchange),
    declareBinding: (binding) => declareBinding(connection, binding),
    async open(queue, route, publication = {}) {
      local(connection, endpoint, queue);
      return openPublication({ connection, endpoint, limits }, queue, route, publication);
    },
    [Symbol.asyncDispose]: async () => connection[Symbol.asyncDispose](),
  };
}

function local(connection: AmqpConnection, endpoint: AmqpEndpoint, queue: QueueAddress): QueueAddress {
  if (queue.vhost === endpoint.vhost) return queue;
  throw new BackupError("INTERNAL", `${connection.url} cannot write into virtual host ${queue.vhost}`);
}
