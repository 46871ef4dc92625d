import { BackupError } from "../../domain/errors.ts";
import type { Gap } from "../../domain/manifest.ts";
import type { MessageRecord } from "../../domain/message.ts";
import { stripAnnotations } from "../../domain/property-section.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import type { HoldRecipe } from "../../domain/reading-recipe.ts";
import type { OpenOptions, QueueCursor } from "../../ports/queue-reader.ts";
import type { DeliverySource } from "./delivery-source.ts";
import type { Delivery, DeliverySink, DeliveryTap } from "./delivery-tap.ts";
import { holdTheRest, nackAll, type HeldState } from "./give-back.ts";
import type { ChannelEnd, HeldChannel } from "./held-channel.ts";
import { Inbox } from "./inbox.ts";

/** No delivery for this long: look whether anything is left to come. */
const IDLE_MS = 200;
/** Messages are ready, but none comes: other consumers, or the queue's own rules, keep them from us. */
const STALLED_MS = 30_000;

export interface HoldParts {
  readonly queue: QueueAddress;
  readonly recipe: Pick<HoldRecipe, "release" | "budget" | "proveLimit">;
  readonly options: OpenOptions;
  readonly held: HeldChannel;
  readonly tap: DeliveryTap;
  readonly readyAtCut: number;
  readonly consumersAtCut: number;
  readonly leftOver: number;
  /** Quorum queues: what is given back in parts changes the order. */
  readonly ordered: boolean;
  /** This long without a delivery while nothing is ready means that nothing more will come. */
  readonly quietMs: number;
  readonly unprotected: boolean;
  readonly countAfter: () => Promise<number | null>;
  /** Gives the lock back and closes the connection. */
  readonly close: () => Promise<void>;
}

/** Reads by holding: consume without acknowledging up to the cut, then give everything back at once. */
export class HoldCursor implements QueueCursor, DeliverySink, HeldState {
  readonly cutAt = new Date();
  readonly readyAtCut: number;
  readonly consumersAtCut: number;
  readonly leftOver: number;
  readonly unprotected: boolean;
  readonly gaps: Gap[] = [];
  readonly notes: string[] = [];
  delivered = 0;
  lastRedelivered = false;
  releasedAt: Date | null = null;
  readyAfter: number | null = null;
  readonly #parts: HoldParts;
  readonly #held: HeldChannel;
  readonly #inbox: Inbox;
  #source: DeliverySource | null = null;
  #captured = 0;
  #lastTag = 0;
  #atLimit = 0;
  #ended = false;
  #release: Promise<void> | null = null;
  #holdTimer: NodeJS.Timeout | null = null;
  #progressAt = 0;
  #looking = false;
  #emptySince: number | null = null;

  constructor(parts: HoldParts) {
    this.#parts = parts;
    this.#held = parts.held;
    this.#inbox = new Inbox(parts.tap);
    this.readyAtCut = parts.readyAtCut;
    this.consumersAtCut = parts.consumersAtCut;
    this.leftOver = parts.leftOver;
    this.unprotected = parts.unprotected;
  }

  /** Begins to take deliveries; `first` was taken already, from the same channel. */
  async start(source: DeliverySource, first: Delivery | null): Promise<void> {
    if (this.readyAtCut === 0) {
      this.#end(null);
      return;
    }
    this.#holdTimer = setTimeout(() => this.#tooLong(), this.#parts.options.maxHoldMs);
    this.#source = source;
    if (first) this.delivery(first);
    if (!this.#ended) await source.add();
  }

  delivery(delivery: Delivery): void {
    this.delivered += 1;
    this.lastRedelivered = delivery.redelivered;
    if (this.#ended) return;
    const stripped = stripAnnotations(delivery.properties);
    if (this.#spent(stripped.deliveryCount)) return;
    this.#captured += 1;
    this.#lastTag = delivery.deliveryTag;
    this.#inbox.push({
      redelivered: delivery.redelivered,
      exchange: delivery.exchange,
      routingKey: delivery.routingKey,
      properties: stripped.properties,
      body: delivery.body,
    });
    if (this.#captured === this.readyAtCut) this.#end(null);
  }

  empty(): void {
    this.#end(this.#gap("TAKEN", TAKEN));
  }

  drained(): void {
    this.#inbox.wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<readonly MessageRecord[]> {
    this.#progressAt = Date.now();
    for (;;) {
      this.#parts.options.signal?.throwIfAborted();
      const batch = await this.#inbox.next(this.#full ? 0 : IDLE_MS);
      if (batch === "end") break;
      if (batch === "idle") await this.#idle();
      else {
        this.#progressAt = Date.now();
        yield batch;
      }
    }
    await this.#release;
    this.#parts.options.signal?.throwIfAborted();
  }

  stop(gap: Gap): void {
    this.#end({ ...gap, messages: this.#missing() });
  }

  async settle(outcome: "requeue" | "consume"): Promise<void> {
    if (outcome === "consume") await this.#consume();
    else {
      this.#end(null);
      await this.#requeue();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(null);
    await this.#requeue();
    await this.#parts.close();
  }

  /** The channel or the connection ended: the broker has everything back. */
  channelEnded(end: ChannelEnd): void {
    this.releasedAt ??= new Date();
    if (this.#parts.ordered && this.lastRedelivered && this.#captured < this.readyAtCut)
      this.notes.push(ORDER);
    const timedOut = end.text.includes("timed out");
    this.#end(
      timedOut
        ? this.#gap("HELD_TOO_LONG", `the broker took the messages back: ${end.text}`)
        : this.#gap("BROKER_LOST", `the reading was cut off: ${end.text}`),
    );
  }

  #spent(deliveryCount: number | null): boolean {
    const count = deliveryCount ?? 0;
    const { budget, proveLimit } = this.#parts.recipe;
    if (proveLimit !== null && count >= proveLimit) this.#atLimit += 1;
    if (!budget || budget.limit - count >= budget.keep) return false;
    this.#end(
      this.#gap(
        "DELIVERIES_SPENT",
        `a message has been delivered ${count} times of ${budget.limit}: reading on would leave it fewer than ${budget.keep}`,
      ),
    );
    return true;
  }

  #tooLong(): void {
    if (this.#parts.options.hold === "until-read" || !this.#ended) {
      this.#end(
        this.#gap("HELD_TOO_LONG", `not read within ${this.#parts.options.maxHoldMs / 1000} s (--max-hold)`),
      );
    }
    this.#requeueLater();
  }

  /** The broker ended a consumer of ours. */
  cancelled(): void {
    this.#end(
      this.#gap(
        "CANCELLED",
        "the broker cancelled the reading: the queue was deleted or moved, or the hold took too long",
      ),
    );
  }

  #missing(): number {
    return this.readyAtCut - this.#captured;
  }

  #gap(code: string, message: string): Gap {
    return { code, message, messages: this.#missing() };
  }

  get #full(): boolean {
    return this.#source !== null && !this.#ended && this.delivered >= this.#source.capacity;
  }

  /** Nothing came for a while, or nothing can come before another consumer is added. */
  async #idle(): Promise<void> {
    if (this.#full) return this.#widen();
    if (Date.now() - this.#progressAt > STALLED_MS) this.#end(this.#gap("STALLED", STALLED));
    // Not awaited: the answer may stand behind deliveries that must be taken first.
    if (!this.#looking) void this.#lookForMore();
  }

  async #widen(): Promise<void> {
    const source = this.#source;
    if (!source) return;
    if (source.room) await this.#orEnded(source.add());
    else
      this.#end(
        this.#gap(
          "TOO_DEEP",
          `more than ${source.capacity} messages cannot be held in order on this version`,
        ),
      );
  }

  async #lookForMore(): Promise<void> {
    this.#looking = true;
    const { delivered } = this;
    // An answer that does not come is no answer: whatever ended the channel has been noted.
    const ready = await this.#held.ready().catch(() => null);
    if (ready !== 0 || delivered !== this.delivered) this.#emptySince = null;
    else this.#emptySince ??= Date.now();
    const emptyMs = this.#emptySince === null ? 0 : Date.now() - this.#emptySince;
    if (this.#emptySince !== null && emptyMs >= this.#parts.quietMs) this.#end(this.#gap("TAKEN", TAKEN));
    this.#looking = false;
  }

  /** A request that fails because reading ended is no failure of its own; `channelEnded` has noted why. */
  async #orEnded<T>(request: Promise<T>): Promise<T | null> {
    try {
      return await request;
    } catch (error) {
      if (this.#held.ended) return null;
      throw error;
    }
  }

  #end(gap: Gap | null): void {
    if (this.#ended) return;
    this.#ended = true;
    if (gap) this.gaps.push(gap);
    this.#noteLimit();
    if (this.#parts.options.hold === "until-read" || this.readyAtCut === 0) {
      this.#requeueLater();
    }
    this.#inbox.close();
  }

  #noteLimit(): void {
    if (this.#atLimit === 0) return;
    this.notes.push(
      `${this.#atLimit} messages have reached the delivery limit: the next failed delivery drops or dead-letters them`,
    );
  }

  async #requeue(): Promise<void> {
    this.#release ??= this.#giveBack();
    await this.#release;
  }

  /** For callers that cannot wait; the iteration, `settle` or disposing meets the failure. */
  #requeueLater(): void {
    this.#requeue().catch(() => undefined);
  }

  async #giveBack(): Promise<void> {
    try {
      await this.#holdWhatMustBe();
      if (this.#parts.recipe.release === "nack" && this.#source && !this.#held.ended) {
        await nackAll(this.#held, this.#source, this);
      }
      await this.#closed();
    } catch (error) {
      // Cut off in between: the end of the channel gives everything back.
      if (!this.#held.ended) throw error;
    } finally {
      if (this.#holdTimer) clearTimeout(this.#holdTimer);
    }
  }

  /** A part of a quorum queue must not go back alone. */
  async #holdWhatMustBe(): Promise<void> {
    if (!this.#source || !this.#parts.ordered || this.#captured === this.readyAtCut) return;
    const spent = this.gaps.some((gap) => gap.code === "DELIVERIES_SPENT");
    if (!spent && (await holdTheRest(this.#held, this.#source, this))) return;
    if (this.lastRedelivered) this.notes.push(ORDER);
  }

  async #closed(): Promise<void> {
    await this.#held.close();
    this.releasedAt ??= new Date();
    this.readyAfter = await this.#parts.countAfter();
  }

  async #consume(): Promise<void> {
    if (this.#holdTimer) clearTimeout(this.#holdTimer);
    if (this.readyAtCut === 0) return;
    if (this.#release || this.#held.ended) {
      const why = "went back to the queue before it could be removed";
      throw new BackupError("BROKER_LOST", `what was held of ${describeQueue(this.#parts.queue)} ${why}`, {
        hint: "The messages are both in the backup and on the queue.",
      });
    }
    this.#release = this.#removeCaptured();
    await this.#release;
  }

  async #removeCaptured(): Promise<void> {
    await this.#holdWhatMustBe();
    await this.#source?.cancelAll();
    if (this.#captured > 0) this.#held.acknowledgeTo(this.#lastTag);
    if (this.#parts.recipe.release === "nack") this.#held.requeueAll();
    await this.#closed();
  }
}

const TAKEN = "taken by other consumers, or expired, while reading";
const ORDER =
  "only a part of the queue was held when it went back: messages that were read before may now stand in another order";
const STALLED =
  "messages are ready but none is delivered: an active single consumer, or consumers with a higher priority, keep them";
