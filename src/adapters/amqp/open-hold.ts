import { BackupError } from "../../domain/errors.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import type { GetRecipe, HoldRecipe } from "../../domain/reading-recipe.ts";
import type { OpenOptions, QueueCursor } from "../../ports/queue-reader.ts";
import { consumerArguments, consumers, deepest, type DeliverySource } from "./delivery-source.ts";
import { FirstLook, type FirstMessage, type Look } from "./first-look.ts";
import { getRequests } from "./get-source.ts";
import { HeldChannel, type QueueCount } from "./held-channel.ts";
import { HoldCursor } from "./hold-cursor.ts";
import type { NothingMore } from "./patience.ts";
import { untilShown } from "./quorum-count.ts";
import { proveNackIsFree } from "./quorum-proof.ts";
import type { ReadingSession } from "./reading-session.ts";

/** A classic queue's deliveries come by the same way as the count that says nothing is ready; nothing is still on its way then. */
const CLASSIC_QUIET_MS = 200;
/** A quorum queue's do not: thousands may be on their way when the count is 0. */
const QUORUM_QUIET_MS = 5000;
/** How long a queue may take to show what was given back; a waiting consumer may take it before it can be seen. */
const COUNT_AFTER_MS = 2000;

/** What basic.get took goes back one by one when it is nacked, which is quadratic, and in bulk when the channel is closed. */
const GET_RELEASE = { release: "close", budget: null, proveLimit: null } as const;

/** Counts what is ready, looks at a first message where that is needed, and begins to take the rest. */
export async function openHold(
  session: ReadingSession,
  recipe: HoldRecipe | GetRecipe,
  options: OpenOptions,
): Promise<QueueCursor> {
  const { connection, tap, queue, unprotected, close } = session;
  const held = await HeldChannel.open(connection, queue);
  const details = recipe.kind === "hold" ? consumerArguments(recipe, options.maxHoldMs) : {};
  const quorum = recipe.kind === "hold" && recipe.windowed;
  const { count, first, nothing } = await cut();
  const cursor = new HoldCursor({
    queue,
    recipe: recipe.kind === "hold" ? recipe : GET_RELEASE,
    options,
    held,
    tap,
    ready: count.ready,
    consumersAtCut: count.consumers,
    unprotected,
    quorum,
    consuming: recipe.kind === "hold",
    quietMs: quorum ? QUORUM_QUIET_MS : CLASSIC_QUIET_MS,
    countAfter: (shown) => countAfter(session, shown),
    close,
  });
  tap.listen(held.number, cursor.sink);
  if (nothing) cursor.startNothing(nothing);
  else await cursor.start(source(cursor.readyAtCut), first?.delivery ?? null);
  return cursor;

  async function cut(): Promise<Cut> {
    const told = await held.count();
    refuseTooDeep(queue, recipe, Math.min(told.ready, options.atMost ?? told.ready));
    const cheap = recipe.kind === "hold" && recipe.proveLimit === null && recipe.budget === null;
    const uncertain = told.ready === 0 && told.consumers === 0;
    if (!quorum || (!uncertain && (cheap || told.ready === 0)))
      return { count: told, first: null, nothing: null };
    const look = new FirstLook(held, details);
    tap.listen(held.number, look);
    const taken = await look.take();
    const exact = uncertain ? total(taken) : told;
    if (recipe.proveLimit === null || exact.ready === 0)
      return { count: exact, first: taken.first, nothing: null };
    const proven = await proveNackIsFree(look, taken, queue);
    const why = proven.others.ready > 0 ? "STALLED" : "TAKEN";
    return { count: exact, first: proven.first, nothing: proven.first ? null : why };
  }

  function source(messages: number): DeliverySource {
    if (recipe.kind === "get") return getRequests(held, connection.raw, queue.name, messages);
    const { averageBodyBytes } = options;
    return consumers(held, recipe, { messages, first, averageBodyBytes, details });
  }
}

interface Cut {
  readonly count: QueueCount;
  /** Of these, one that is held already. */
  readonly first: FirstMessage | null;
  /** Why none could be had where one was needed to go on. */
  readonly nothing: NothingMore | null;
}

function total({ first, others }: Look): QueueCount {
  return { ready: others.ready + (first ? 1 : 0), consumers: others.consumers };
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

async function countAfter(
  { connection, queue }: ReadingSession,
  shown: (count: QueueCount) => boolean,
): Promise<number | null> {
  if (connection.lost) return null;
  try {
    const channel = await HeldChannel.open(connection, queue);
    let last: QueueCount = { ready: 0, consumers: 0 };
    const ask = async (): Promise<QueueCount> => (last = await channel.count());
    const count = await untilShown(ask, shown, COUNT_AFTER_MS);
    await channel.close();
    return count || last.consumers > 0 ? last.ready : null;
  } catch {
    // Only a figure for the summary; the queue may be gone by now.
    return null;
  }
}
