import { stripAnnotations } from "../../domain/property-section.ts";
import type { DeliverySink } from "./delivery-tap.ts";
import { HeldChannel } from "./held-channel.ts";
import { queueError } from "./queue-error.ts";
import type { ReadingSession } from "./reading-session.ts";

/** The last chunk comes at once; this long without anything more means it has been seen. */
const QUIET_MS = 300;
/** A stream that is being written to is never quiet: then the end is where it was after this long. */
const LOOK_MS = 1000;
/** A stream of which the broker counts messages has a last chunk, however slow the disk is; unless it cannot be delivered. */
const FIRST_CHUNK_MS = 10_000;
/** The count is told every 5 s (`stream_tick_interval`): 0 is only believed after longer. */
const EMPTY_MS = 6000;
/** Credit; a chunk may hold more than that. */
const PREFETCH = 1000;

/**
 * The highest offset now: what the last chunk ends with. Counters do not tell it (offsets have gaps), so a consumer looks.
 * -1: the stream is empty. Infinity: it is not, but AMQP 0-9-1 delivers nothing of the last chunk. Throws as `HeldChannel.count`.
 */
export async function lastStreamOffset(
  { connection, tap, queue }: ReadingSession,
  signal: AbortSignal | undefined,
): Promise<number> {
  const held = await HeldChannel.open(connection, queue);
  const look = new LastChunk(held);
  tap.listen(held.number, look);
  await held.consume("mqbackup-end", PREFETCH, { "x-stream-offset": "last" });
  const beganAt = Date.now();
  const { ready } = await held.count();
  const patienceMs = ready > 0 ? FIRST_CHUNK_MS : EMPTY_MS;
  for (;;) {
    signal?.throwIfAborted();
    if (held.ended) throw queueError(new Error(held.ended.text), queue, held.ended);
    const waitedMs = Date.now() - beganAt;
    const seen = look.last >= 0 && (Date.now() - look.seenAt > QUIET_MS || waitedMs > LOOK_MS);
    if (seen || (look.last < 0 && waitedMs > patienceMs)) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const isEmpty = look.last < 0 && (await held.count()).ready === 0;
  await held.close();
  return look.last < 0 && !isEmpty ? Infinity : look.last;
}

class LastChunk implements DeliverySink {
  last = -1;
  seenAt = 0;
  readonly #held: HeldChannel;
  #unacknowledged = 0;

  constructor(held: HeldChannel) {
    this.#held = held;
  }

  delivery({ properties, deliveryTag }: Parameters<DeliverySink["delivery"]>[0]): void {
    this.last = Math.max(this.last, stripAnnotations(properties).streamOffset ?? -1);
    this.seenAt = Date.now();
    this.#unacknowledged += 1;
    if (this.#unacknowledged < PREFETCH / 2 || this.#held.gone) return;
    this.#held.acknowledgeTo(deliveryTag);
    this.#unacknowledged = 0;
  }

  empty(): void {
    // only answers basic.get, which streams refuse
  }

  drained(): void {
    // the end is found by time
  }
}
