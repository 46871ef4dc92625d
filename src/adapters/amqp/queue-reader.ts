import { BackupError } from "../../domain/errors.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import type { GetRecipe, HoldRecipe, ReadingRecipe } from "../../domain/reading-recipe.ts";
import type { OpenOptions, QueueCursor, QueueReader } from "../../ports/queue-reader.ts";
import { openConnection, type AmqpConnection, type AmqpEndpoint } from "./connection.ts";
import { consumers, deepest, type DeliverySource } from "./delivery-source.ts";
import { DeliveryTap } from "./delivery-tap.ts";
import { getRequests } from "./get-source.ts";
import { HeldChannel, type ChannelEnd } from "./held-channel.ts";
import { HoldCursor } from "./hold-cursor.ts";
import { proveNackIsFree } from "./quorum-proof.ts";
import { readRefusal } from "./read-access.ts";
import { lockQueue } from "./queue-lock.ts";
import { channelNumber } from "./raw-connection.ts";
import { lastStreamOffset, StreamCursor } from "./stream-cursor.ts";

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
      try {
        return await openCursor(connection, queue, recipe, options);
      } catch (error) {
        await connection[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

/** One queue's connection, and the lock that is held on it. */
interface Session {
  readonly connection: AmqpConnection;
  readonly tap: DeliveryTap;
  readonly unprotected: boolean;
  readonly close: () => Promise<void>;
}

async function openCursor(
  connection: AmqpConnection,
  queue: QueueAddress,
  recipe: ReadingRecipe,
  options: OpenOptions,
): Promise<QueueCursor> {
  const tap = new DeliveryTap(connection.raw);
  const lock = await lockQueue(connection, queue);
  const session: Session = {
    connection,
    tap,
    unprotected: lock === null,
    close: async () => {
      await lock?.release();
      await connection[Symbol.asyncDispose]();
    },
  };
  options.signal?.throwIfAborted();
  if (recipe.kind === "stream") return openStream(session, queue, recipe.from, options);
  return openHold(session, queue, recipe, options);
}

async function openHold(
  { connection, tap, unprotected, close }: Session,
  queue: QueueAddress,
  recipe: HoldRecipe | GetRecipe,
  options: OpenOptions,
): Promise<QueueCursor> {
  const { held, ends } = await heldChannel(connection, queue);
  const { messageCount: ready, consumerCount: consumersAtCut } = await held.count();
  const readyAtCut = Math.min(ready, options.atMost ?? ready);
  refuseTooDeep(queue, recipe, readyAtCut);
  const proven =
    recipe.kind === "hold" && recipe.proveLimit !== null && readyAtCut > 0
      ? await proveNackIsFree(held, tap, queue)
      : null;
  const windowed = recipe.kind === "hold" && recipe.windowed;
  const cursor = new HoldCursor({
    queue,
    recipe: recipe.kind === "hold" ? recipe : GET_RELEASE,
    options,
    held,
    tap,
    readyAtCut,
    consumersAtCut,
    leftOver: ready - readyAtCut,
    ordered: windowed,
    quietMs: windowed ? QUORUM_QUIET_MS : CLASSIC_QUIET_MS,
    unprotected,
    countAfter: () => countAfter(connection, queue),
    close,
  });
  ends.listener = (end) => cursor.channelEnded(end);
  tap.listen(channelNumber(held.channel), cursor);
  await cursor.start(sourceFor(recipe, readyAtCut), proven?.first ?? null);
  return cursor;

  function sourceFor(how: HoldRecipe | GetRecipe, messages: number): DeliverySource {
    if (how.kind === "get") return getRequests(held, connection.raw, queue.name, messages);
    return consumers(held, queue.name, how, {
      messages,
      attached: proven ? [proven.consumerTag] : [],
      averageBodyBytes: options.averageBodyBytes,
      maxHoldMs: options.maxHoldMs,
      onCancelled: () => cursor.cancelled(),
    });
  }
}

/** Before anything is taken: what cannot be held as a whole cannot be given back in order. */
function refuseTooDeep(queue: QueueAddress, recipe: HoldRecipe | GetRecipe, messages: number): void {
  const most = recipe.kind === "get" ? recipe.maxMessages : deepest(recipe);
  if (messages <= most) return;
  const how = recipe.kind === "get" ? "read one by one" : "held in order on this version";
  throw new BackupError(
    "QUEUE_UNSAFE",
    `${describeQueue(queue)} holds ${messages} messages: too many to be ${how} (at most ${most})`,
    { hint: "Back it up when it is shorter, or leave it out with --exclude." },
  );
}

/** A classic queue's deliveries come by the same way as the count that says nothing is ready; nothing is still on its way then. */
const CLASSIC_QUIET_MS = 200;
/** A quorum queue's do not: thousands may be on their way when the count is 0. */
const QUORUM_QUIET_MS = 5000;

/** basic.get is for classic queues only: bulk nack, no counters. */
const GET_RELEASE = { release: "nack", budget: null, proveLimit: null } as const;

async function openStream(
  { connection, tap, unprotected, close }: Session,
  queue: QueueAddress,
  from: "first" | number,
  options: OpenOptions,
): Promise<QueueCursor> {
  const lastOffset = await lastStreamOffset(connection, tap, queue);
  const { held, ends } = await heldChannel(connection, queue);
  const cursor = new StreamCursor({
    held,
    tap,
    options,
    unprotected,
    lastOffset,
    close,
  });
  ends.listener = (end) => cursor.channelEnded(end);
  tap.listen(channelNumber(held.channel), cursor);
  await cursor.start(queue, from);
  return cursor;
}

/** The channel exists before the cursor that wants to know of its end. */
async function heldChannel(
  connection: AmqpConnection,
  queue: QueueAddress,
): Promise<{ held: HeldChannel; ends: { listener: (end: ChannelEnd) => void } }> {
  const ends = { listener: (_end: ChannelEnd): void => undefined };
  const channel = await connection.openChannel();
  const held = new HeldChannel(connection, channel, queue, (end) => ends.listener(end));
  return { held, ends };
}

async function countAfter(connection: AmqpConnection, queue: QueueAddress): Promise<number | null> {
  if (connection.lost) return null;
  try {
    const channel = await connection.openChannel();
    const { messageCount } = await channel.checkQueue(queue.name);
    await channel.close();
    return messageCount;
  } catch {
    // Only a figure for the summary; the queue may be gone by now.
    return null;
  }
}
