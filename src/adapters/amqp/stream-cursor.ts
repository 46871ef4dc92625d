import type { Gap } from "../../domain/manifest.ts";
import type { MessageRecord } from "../../domain/message.ts";
import { stripAnnotations } from "../../domain/property-section.ts";
import type { StreamRecipe } from "../../domain/reading-recipe.ts";
import type { OpenOptions, QueueCursor } from "../../ports/queue-reader.ts";
import type { Delivery, DeliverySink, DeliveryTap } from "./delivery-tap.ts";
import type { ChannelWatcher, HeldChannel } from "./held-channel.ts";
import { Inbox } from "./inbox.ts";
import { endReason, type ChannelEnd } from "./queue-error.ts";

/** Credit; measured: the rate grows up to about here and falls again towards 65,535. */
const PREFETCH = 10_000;
const ACK_EVERY = PREFETCH / 4;
const IDLE_MS = 200;
/** Nothing for this long although the end has not been reached: the stream is stuck. */
const STALLED_MS = 30_000;
/** Where the end is not known, this is it. */
const QUIET_MS = 5000;
/**
 * So many offsets without a message are a compressed batch of a stream client, which AMQP 0-9-1 passes over. The broker uses offsets
 * itself, to track consumers and publishers, but few in a row.
 */
const BATCH_OFFSETS = 10;

/** Reads a stream from its first message to where its end was when reading began. Takes nothing, gives nothing back. */
export class StreamCursor implements QueueCursor, DeliverySink, ChannelWatcher {
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
  /** Newest offset captured. */
  #newest = -1;
  /** Messages that were passed over. */
  #undelivered = 0;
  /** Other offsets that gave no message. */
  #silent = 0;
  #unacknowledged = 0;
  #taken = 0;
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

  async start(from: StreamRecipe["from"]): Promise<void> {
    this.#held.watch(this);
    if (this.#lastOffset < 0 || (typeof from === "number" && from > this.#lastOffset)) {
      this.#end(null);
      return;
    }
    const credit = Math.min(PREFETCH, this.#options.atMost ?? PREFETCH);
    await this.#held.consume("mqbackup", credit, { "x-stream-offset": from });
  }

  delivery(delivery: Delivery): void {
    if (this.#ended) return;
    const { properties, streamOffset } = stripAnnotations(delivery.properties);
    const offset = streamOffset ?? 0;
    if (offset > this.#lastOffset) {
      // The last message was there when reading began, and what is behind it comes after it.
      this.#end(gap("RETENTION", "the stream's retention removed messages before they were read"));
      return;
    }
    const missing = this.#newest < 0 ? 0 : offset - this.#newest - 1;
    if (missing >= BATCH_OFFSETS) this.#undelivered += missing;
    else this.#silent += missing;
    this.#newest = offset;
    const { redelivered, exchange, routingKey, body } = delivery;
    this.#inbox.push({ redelivered, exchange, routingKey, streamOffset: offset, properties, body });
    this.#unacknowledged += 1;
    if (this.#unacknowledged === ACK_EVERY) {
      this.#held.acknowledgeTo(delivery.deliveryTag);
      this.#unacknowledged = 0;
    }
    this.#taken += 1;
    if (offset === this.#lastOffset || this.#taken === this.#options.atMost) this.#end(null);
  }

  empty(): void {
    // only answers basic.get, which streams refuse
  }

  drained(): void {
    this.#inbox.flush();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<readonly MessageRecord[]> {
    let progressAt = Date.now();
    for (;;) {
      this.#options.signal?.throwIfAborted();
      const batch = await this.#inbox.next(IDLE_MS);
      if (batch === "end") break;
      if (batch !== "idle") {
        yield batch;
        // However long that took, the broker is not to blame.
        progressAt = Date.now();
      } else {
        this.#quiet(Date.now() - progressAt);
      }
    }
    await this.settle();
  }

  #quiet(ms: number): void {
    if (this.#lastOffset === Infinity && ms > QUIET_MS) this.#end(gap("NOT_DELIVERED", PASSED_OVER));
    if (ms > STALLED_MS)
      this.#end(gap("STALLED", `the stream gave nothing for ${ms / 1000} s before its end was reached`));
  }

  stop(reason: Gap): void {
    this.#end(reason);
  }

  ended(end: ChannelEnd): void {
    const { code, message } = endReason(end);
    this.#end(gap(code, message));
  }

  cancelled(): void {
    this.#end(gap("CANCELLED", "the broker cancelled the reading of the stream"));
  }

  /** There is nothing to give back or to remove: a stream forgets by its own retention only. */
  async settle(): Promise<void> {
    this.#end(null);
    await this.#held.close();
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
    if (this.#undelivered > 0)
      this.gaps.push({ ...gap("NOT_DELIVERED", PASSED_OVER), messages: this.#undelivered });
    if (this.#silent > 0) this.notes.push(`${this.#silent} ${SILENT}`);
    this.#inbox.close();
  }
}

function gap(code: string, message: string): Gap {
  return { code, message, messages: null };
}

const PASSED_OVER =
  "AMQP 0-9-1 does not deliver what stream clients published in compressed batches: offsets without a message";
const SILENT = "single offsets gave no message: the broker uses some itself";
