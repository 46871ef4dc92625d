import type { BackupError } from "../../domain/errors.ts";
import type { ReadingRecipe } from "../../domain/reading-recipe.ts";
import type { OpenOptions, QueueCursor, QueueReader } from "../../ports/queue-reader.ts";
import { openConnection, type AmqpEndpoint } from "./connection.ts";
import { DeliveryTap } from "./delivery-tap.ts";
import { openHold } from "./open-hold.ts";
import { openStream } from "./open-stream.ts";
import { readRefusal } from "./read-access.ts";
import { lockQueue } from "./queue-lock.ts";
import type { ReadingSession } from "./reading-session.ts";

/** After an abort the step under way is finished, so that no message is left half looked at; unless the broker is silent. */
const ABORT_GRACE_MS = 5000;

/** Reads queues over AMQP 0-9-1. Every cursor has a connection of its own: one poison message closes it, and only it. */
export function amqpQueueReader(endpoint: Omit<AmqpEndpoint, "vhost">): QueueReader {
  return {
    async describe(vhost, options) {
      await using connection = await openConnection({ ...endpoint, vhost }, options);
      return connection.broker;
    },
    async access(vhost, names, options) {
      await using connection = await openConnection({ ...endpoint, vhost }, options);
      const found = new Map<string, BackupError | null>();
      for (const name of names) {
        options?.signal?.throwIfAborted();
        found.set(name, await readRefusal(connection, { vhost, name }));
      }
      return found;
    },
    async open(queue, recipe, options) {
      const connection = await openConnection({ ...endpoint, vhost: queue.vhost }, options);
      const { signal } = options;
      try {
        const session = await soon(openSession(), signal);
        signal?.throwIfAborted();
        const cursor = await soon(openCursor(session, recipe, options), signal);
        if (signal?.aborted !== true) return cursor;
        await cursor[Symbol.asyncDispose]();
        throw signal.reason;
      } catch (error) {
        await connection[Symbol.asyncDispose]();
        throw signal?.aborted === true ? signal.reason : error;
      }

      async function openSession(): Promise<ReadingSession> {
        const tap = new DeliveryTap(connection.raw, connection.received);
        const lock = await lockQueue(connection, queue);
        const close = async (): Promise<void> => {
          await lock?.release();
          await connection[Symbol.asyncDispose]();
        };
        return { connection, tap, queue, unprotected: lock === null, close };
      }
    },
  };
}

function openCursor(
  session: ReadingSession,
  recipe: ReadingRecipe,
  options: OpenOptions,
): Promise<QueueCursor> {
  return recipe.kind === "stream"
    ? openStream(session, recipe.from, options)
    : openHold(session, recipe, options);
}

/** The step's outcome; the signal's reason when it is aborted and the step does not end in due time. */
async function soon<T>(step: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return step;
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => undefined;
  const late = new Promise<never>((_, reject) => {
    onAbort = () => (timer = setTimeout(() => reject(signal.reason), ABORT_GRACE_MS));
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([step, late]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
