import { amqpQueueReader } from "../../src/adapters/amqp/queue-reader.ts";
import type { Gap } from "../../src/domain/manifest.ts";
import type { ReadingRecipe } from "../../src/domain/reading-recipe.ts";
import type { OpenOptions, QueueCursor, QueueReader } from "../../src/ports/queue-reader.ts";
import type { Broker } from "./brokers.ts";
import type { LabVhost } from "./vhost.ts";

export interface ReadMessage {
  readonly body: Buffer;
  readonly rawProperties: Buffer;
  readonly routingKey: string;
  readonly redelivered: boolean;
}

/** What one reading of a queue gave; bodies and properties are copies. */
export interface Reading {
  readonly messages: ReadMessage[];
  readonly gaps: readonly Gap[];
  readonly notes: readonly string[];
  readonly readyAtCut: number | null;
  readonly readyAfter: number | null;
  readonly unprotected: boolean;
}

/** mqbackup's own reader on a lab broker. */
export function labReader(broker: Broker, url = broker.amqpUrl, heartbeatSeconds = 10): QueueReader {
  return amqpQueueReader({
    urls: [url],
    tls: {},
    auth: "plain",
    heartbeatSeconds,
    connectionName: "mqbackup test",
    connectTimeoutMs: 10_000,
  });
}

export const READ_OPTIONS: OpenOptions = { hold: "until-read", maxHoldMs: 60_000, averageBodyBytes: 200 };

/** Opens a cursor on a queue; `url` leads to the broker, by default directly and as the lab's own user. */
export function openCursor(
  vhost: LabVhost,
  queue: string,
  recipe: ReadingRecipe,
  options: Partial<OpenOptions> & { readonly url?: string; readonly heartbeatSeconds?: number } = {},
): Promise<QueueCursor> {
  const { url, heartbeatSeconds, ...open } = options;
  return labReader(vhost.broker, url, heartbeatSeconds).open({ vhost: vhost.name, name: queue }, recipe, {
    ...READ_OPTIONS,
    ...open,
  });
}

/** Everything a cursor gives. `during` runs after each batch with the number of messages so far. */
export async function readAll(
  cursor: QueueCursor,
  during?: (seen: number) => Promise<void> | void,
): Promise<ReadMessage[]> {
  const messages: ReadMessage[] = [];
  for await (const batch of cursor) {
    for (const record of batch) {
      messages.push({
        body: Buffer.from(record.body),
        rawProperties: Buffer.from(record.properties),
        routingKey: Buffer.from(record.routingKey).toString(),
        redelivered: record.redelivered,
      });
    }
    await during?.(messages.length);
  }
  return messages;
}

/** Reads a queue with this recipe and gives it back. `during` runs after each batch. */
export async function readQueue(
  vhost: LabVhost,
  queue: string,
  recipe: ReadingRecipe,
  options: Partial<OpenOptions> & {
    readonly url?: string;
    readonly during?: (seen: number) => Promise<void> | void;
    readonly stopAfter?: number;
  } = {},
): Promise<Reading> {
  const { during, stopAfter, ...open } = options;
  await using cursor = await openCursor(vhost, queue, recipe, open);
  const messages = await readAll(cursor, async (seen) => {
    await during?.(seen);
    if (stopAfter !== undefined && seen >= stopAfter) {
      cursor.stop({ code: "TEST", message: "stopped by the test", messages: null });
    }
  });
  await cursor.settle("requeue");
  const { gaps, notes, readyAtCut, readyAfter, unprotected } = cursor;
  return { messages, gaps, notes, readyAtCut, readyAfter, unprotected };
}
