import type { StreamRecipe } from "../../domain/reading-recipe.ts";
import type { OpenOptions, QueueCursor } from "../../ports/queue-reader.ts";
import { HeldChannel } from "./held-channel.ts";
import type { ReadingSession } from "./reading-session.ts";
import { StreamCursor } from "./stream-cursor.ts";
import { lastStreamOffset } from "./stream-end.ts";

/** Finds the end of a stream and begins to read up to it. */
export async function openStream(
  session: ReadingSession,
  from: StreamRecipe["from"],
  options: OpenOptions,
): Promise<QueueCursor> {
  const { connection, tap, queue, unprotected, close } = session;
  const lastOffset = await lastStreamOffset(session, options.signal);
  const held = await HeldChannel.open(connection, queue);
  const cursor = new StreamCursor({ held, tap, options, unprotected, lastOffset, close });
  tap.listen(held.number, cursor);
  await cursor.start(from);
  return cursor;
}
