import type { Channel } from "amqplib";
import type { Gap } from "../../domain/manifest.ts";
import type { MessageRecord } from "../../domain/message.ts";
import { stripAnnotations } from "../../domain/property-section.ts";
import type { QueueAddress } from "../../domain/queue.ts";
import type { StreamRecipe } from "../../domain/reading-recipe.ts";
import type { OpenOptions, QueueCursor } from "../../ports/queue-reader.ts";
import type { AmqpConnection } from "./connection.ts";
import type { Delivery, DeliverySink, DeliveryTap } from "./delivery-tap.ts";
import { HeldChannel, type ChannelEnd } from "./held-channel.ts";
import { Inbox } from "./inbox.ts";
import { channelNumber } from "./raw-connection.ts";

/** Credit; measured: the rate grows up to about here and falls again towards 65,535. */
const PREFETCH = 10_000;
const ACK_EVERY = PREFETCH / 4;
const IDLE_MS = 200;
/** The last chunk comes at once; this long without anything more means it has been seen. */
const LAST_CHUNK_QUIET_MS = 300;
/** A stream that is being written to is never quiet: then the end is where it was after this long. */
const LAST_CHUNK_MAX_MS = 1000;
/** Nothing for this long although the end has not been reached: retention has removed it meanwhile, or the stream is stuck. */
const STALLED_MS = 30_000;

/** Reads a stream from its first message to where its end was when reading began. Takes nothing, gives nothing back. */
export class StreamCursor implements QueueCursor, DeliverySink {
  readonly cutAt = new Date();
  readonly readyAtCut = null;
  readonly readyAfter = null;
  readonly consumersAtCut = null;
  readonly leftOver = 0;
  readonly unprotected: boolean;
  readonly gaps: Gap[] = [];
  readonly notes: string[] = [];
  releasedAt: Date | null = null;
  readonly #held: HeldChannel;
  readonly #inbox: Inbox;
  readonly #options: OpenOptions;
  readonly #close: () => Promise<void>;
  readonly #lastOffset: number;
  #unacknowledged = 0;
  #ended = false;

  constructor(parts: {
    held: HeldChannel;
    tap: DeliveryTap;
    options: OpenOptions;
    unprotected: boolean;
    /** Highest offset to read; -1: the stream is empty. */
    lastOffset: number;
    close: () => Promise<void>;
  }) {
    this.#held = parts.held;
    this.#inbox = new Inbox(parts.tap);
    this.#options = parts.options;
    this.unprotected = parts.unprotected;
    this.#lastOffset = parts.lastOffset;
    this.#close = parts.close;
  }

  async start(queue: QueueAddress, from: StreamRecipe["from"]): Promise<void> {
    if (this.#lastOffset < 0 || (typeof from === "number" && from > this.#lastOffset)) {
      this.#end(null);
      return;
    }
    await consumeStream(this.#held, queue, from, () =>
      this.#end(gap("CANCELLED", "the broker cancelled the reading of the stream")),
    );
  }

  delivery(delivery: Delivery): void {
    if (this.#ended) return;
    const stripped = stripAnnotations(delivery.properties);
    const offset = stripped.streamOffset ?? 0;
    // What is attached to the middle of a chunk gets the whole chunk.
    if (offset <= this.#lastOffset) {
      this.#inbox.push({
        redelivered: delivery.redelivered,
        exchange: delivery.exchange,
        routingKey: delivery.routingKey,
        streamOffset: offset,
        properties: stripped.properties,
        body: delivery.body,
      });
    }
    this.#unacknowledged += 1;
    if (this.#unacknowledged === ACK_EVERY) {
      this.#held.acknowledgeTo(delivery.deliveryTag);
      this.#unacknowledged = 0;
    }
    if (offset >= this.#lastOffset) this.#end(null);
  }

  empty(): void {
    // only answers basic.get, which streams refuse
  }

  drained(): void {
    this.#inbox.wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<readonly MessageRecord[]> {
    let progressAt = Date.now();
    for (;;) {
      this.#options.signal?.throwIfAborted();
      const batch = await this.#inbox.next(IDLE_MS);
      if (batch === "end") break;
      if (batch !== "idle") {
        progressAt = Date.now();
        yield batch;
      } else if (Date.now() - progressAt > STALLED_MS) {
        this.#end(
          gap("STALLED", `the stream gave nothing for ${STALLED_MS / 1000} s before its end was reached`),
        );
      }
    }
    await this.settle();
  }

  stop(reason: Gap): void {
    this.#end(reason);
  }

  channelEnded(end: ChannelEnd): void {
    this.#end(gap("BROKER_LOST", `the reading was cut off: ${end.text}`));
  }

  /** There is nothing to give back or to remove: a stream forgets by its own retention only. */
  async settle(): Promise<void> {
    this.#end(null);
    await this.#held.close().catch(() => undefined);
    this.releasedAt ??= new Date();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settle();
    await this.#close();
  }

  #end(reason: Gap | null): void {
    if (this.#ended) return;
    this.#ended = true;
    if (reason) this.gaps.push(reason);
    this.#inbox.close();
  }
}

function gap(code: string, message: string): Gap {
  return { code, message, messages: null };
}

/**
 * The highest offset now: what the last chunk ends with. Counters do not tell it (offsets have gaps), so a consumer looks.
 * -1: the stream is empty.
 */
export async function lastStreamOffset(
  connection: AmqpConnection,
  tap: DeliveryTap,
  queue: QueueAddress,
): Promise<number> {
  const channel: Channel = await connection.openChannel();
  const held = new HeldChannel(connection, channel, queue, () => undefined);
  let last = -1;
  let seenAt = Date.now();
  tap.listen(channelNumber(channel), {
    delivery(delivery) {
      last = Math.max(last, stripAnnotations(delivery.properties).streamOffset ?? -1);
      seenAt = Date.now();
    },
    empty: () => undefined,
    drained: () => undefined,
  });
  await consumeStream(held, queue, "last", () => undefined);
  const beganAt = Date.now();
  const count = await held.ready();
  // An empty answer is waited for longer where the broker counts messages: the first chunk may be slow to come from disk.
  const patienceMs = count > 0 ? STALLED_MS : LAST_CHUNK_QUIET_MS;
  while (!held.ended) {
    const waited = Date.now() - beganAt;
    if (last >= 0 && (Date.now() - seenAt > LAST_CHUNK_QUIET_MS || waited > LAST_CHUNK_MAX_MS)) break;
    if (last < 0 && waited > patienceMs) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await held.close();
  return last;
}

async function consumeStream(
  held: HeldChannel,
  queue: QueueAddress,
  from: StreamRecipe["from"] | "last",
  onCancelled: () => void,
): Promise<void> {
  await held.call(async () => {
    await held.channel.prefetch(PREFETCH);
    await held.channel.consume(queue.name, (message) => message === null && onCancelled(), {
      arguments: { "x-stream-offset": from },
    });
  });
}
