import type { Gap } from "../../domain/manifest.ts";
import type { MessageRecord } from "../../domain/message.ts";
import type { HoldRecipe } from "../../domain/reading-recipe.ts";
import type { OpenOptions, QueueCursor } from "../../ports/queue-reader.ts";
import type { DeliverySource } from "./delivery-source.ts";
import type { Delivery, DeliverySink, DeliveryTap } from "./delivery-tap.ts";
import type { ChannelWatcher, HeldChannel } from "./held-channel.ts";
import { HoldIntake } from "./hold-intake.ts";
import { Inbox } from "./inbox.ts";
import { Patience, type NothingMore } from "./patience.ts";
import { endReason, type ChannelEnd } from "./queue-error.ts";
import { Release, type ReleaseParts } from "./release.ts";

/** No delivery for this long: look whether anything is left to come. */
const IDLE_MS = 200;

export interface HoldParts extends Pick<ReleaseParts, "queue" | "quorum" | "countAfter"> {
  readonly recipe: Pick<HoldRecipe, "release" | "budget" | "proveLimit">;
  readonly options: OpenOptions;
  readonly held: HeldChannel;
  readonly tap: DeliveryTap;
  /** Ready messages when reading began. */
  readonly ready: number;
  readonly consumersAtCut: number;
  readonly unprotected: boolean;
  /** Consumers of ours are attached, unlike with basic.get. */
  readonly consuming: boolean;
  /** This long without a delivery while nothing is ready means that nothing more will come. */
  readonly quietMs: number;
  /** Gives the lock back and closes the connection. */
  readonly close: () => Promise<void>;
}

/** Reads by holding: consume without acknowledging up to the cut, then give everything back at once. */
export class HoldCursor implements QueueCursor, ChannelWatcher {
  readonly cutAt = new Date();
  readonly readyAtCut: number;
  readonly consumersAtCut: number;
  readonly leftOver: number;
  readonly unprotected: boolean;
  readonly gaps: Gap[] = [];
  readonly #parts: HoldParts;
  readonly #inbox: Inbox;
  readonly #intake: HoldIntake;
  readonly #patience: Patience;
  readonly #release: Release;
  #source: DeliverySource | null = null;
  /** Messages handed to whoever iterates. */
  #yielded = 0;
  #ended = false;
  #holdTimer: NodeJS.Timeout | null = null;

  constructor(parts: HoldParts) {
    const { queue, recipe, held, quorum, countAfter, ready, options } = parts;
    this.#parts = parts;
    this.readyAtCut = Math.min(ready, options.atMost ?? ready);
    this.leftOver = ready - this.readyAtCut;
    this.consumersAtCut = parts.consumersAtCut;
    this.unprotected = parts.unprotected;
    this.#inbox = new Inbox(parts.tap);
    this.#intake = new HoldIntake({
      inbox: this.#inbox,
      wanted: this.readyAtCut,
      recipe,
      onCut: () => this.#end(null),
      onEmpty: () => this.#end(this.#nothingMore("TAKEN")),
    });
    this.#patience = new Patience({
      held,
      state: this.#intake,
      quietMs: parts.quietMs,
      isAttached: parts.consuming,
    });
    const { leftOver } = this;
    this.#release = new Release({ queue, recipe, held, intake: this.#intake, quorum, leftOver, countAfter });
  }

  /** Where deliveries on the held channel go. */
  get sink(): DeliverySink {
    return this.#intake;
  }

  get notes(): readonly string[] {
    return [...this.#intake.notes(), ...this.#release.notes];
  }

  get releasedAt(): Date | null {
    return this.#release.at;
  }

  get readyAfter(): number | null {
    return this.#release.readyAfter;
  }

  /** Begins to take deliveries; `first` was taken already, from the same channel. */
  async start(source: DeliverySource, first: Delivery | null): Promise<void> {
    this.#parts.held.watch(this);
    if (this.readyAtCut === 0) {
      this.#end(null);
      return;
    }
    this.#holdTimer = setTimeout(() => this.#tooLong(), this.#parts.options.maxHoldMs);
    this.#source = source;
    this.#release.source = source;
    if (first) this.#intake.delivery(first);
    if (this.#ended || this.#intake.spent !== null) return;
    try {
      await source.add();
    } catch (error) {
      this.#stopTimer();
      throw error;
    }
  }

  /** Instead of `start`: not one message is to be had. */
  startNothing(why: NothingMore): void {
    this.#end(this.#nothingMore(why));
  }

  async *[Symbol.asyncIterator](): AsyncIterator<readonly MessageRecord[]> {
    const { signal } = this.#parts.options;
    for (;;) {
      signal?.throwIfAborted();
      const batch = await this.#inbox.next(this.#isFull ? 0 : IDLE_MS);
      if (batch === "end") break;
      if (batch === "idle") await this.#idle();
      else {
        this.#yielded += batch.length;
        yield batch;
        // However long that took, the broker is not to blame.
        this.#patience.progressed();
      }
    }
    if (this.#mustRelease) await this.#release.requeue();
    signal?.throwIfAborted();
  }

  stop(gap: Gap): void {
    this.#end({ ...gap, messages: this.#intake.missing });
  }

  async settle(outcome: "requeue" | "consume"): Promise<void> {
    this.#end(null);
    if (outcome === "consume") await this.#release.consume(this.#yielded);
    else await this.#release.requeue();
    this.#stopTimer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(null);
    try {
      // What `settle` has thrown already is not thrown again: the end of the connection gives back what is left.
      await this.#release.requeue().catch(() => undefined);
    } finally {
      this.#stopTimer();
      await this.#parts.close();
    }
  }

  ended(end: ChannelEnd): void {
    const { code, message } = endReason(end);
    this.#end(this.#gap(code, message));
    this.#release.takenBack();
  }

  cancelled(): void {
    this.#end(
      this.#gap(
        "CANCELLED",
        "the broker cancelled the reading: the queue was deleted or moved, or the hold took too long",
      ),
    );
    this.#release.takenBack();
  }

  /** Everything goes back at the end of the reading, without waiting for `settle`. */
  get #mustRelease(): boolean {
    return this.#parts.options.hold === "until-read" || this.readyAtCut === 0;
  }

  get #isFull(): boolean {
    return this.#source !== null && !this.#ended && this.#intake.delivered >= this.#source.capacity;
  }

  /** Nothing came for a while, or nothing can come before another consumer is added. */
  async #idle(): Promise<void> {
    if (this.#isFull) return this.#widen();
    const verdict = this.#patience.verdict();
    if (verdict) this.#end(this.#nothingMore(verdict));
  }

  async #widen(): Promise<void> {
    const source = this.#source;
    if (!source) return;
    const { spent } = this.#intake;
    if (spent !== null) this.#end(this.#gap("DELIVERIES_SPENT", spent));
    else if (!source.room) {
      const most = `more than ${source.capacity} messages cannot be held in order on this version`;
      this.#end(this.#gap("TOO_DEEP", most));
    } else {
      try {
        await source.add();
      } catch (error) {
        // The end of the channel is no failure of the iteration; it has been noted.
        if (!this.#parts.held.gone) throw error;
      }
    }
  }

  #tooLong(): void {
    const maxHold = `${this.#parts.options.maxHoldMs / 1000} s (--max-hold)`;
    this.#end(this.#gap("HELD_TOO_LONG", `not read within ${maxHold}`));
    this.#release.requeueLater();
  }

  #end(gap: Gap | null): void {
    if (this.#ended) return;
    this.#ended = true;
    if (gap) this.gaps.push(gap);
    this.#intake.close();
    if (this.#mustRelease) this.#release.requeueLater();
  }

  #nothingMore(why: NothingMore): Gap {
    const { spent } = this.#intake;
    return spent === null ? this.#gap(why, WHY[why]) : this.#gap("DELIVERIES_SPENT", spent);
  }

  #gap(code: string, message: string): Gap {
    return { code, message, messages: this.#intake.missing };
  }

  #stopTimer(): void {
    if (this.#holdTimer) clearTimeout(this.#holdTimer);
    this.#holdTimer = null;
  }
}

const WHY: Readonly<Record<NothingMore, string>> = {
  TAKEN: "taken by other consumers, or expired, while reading",
  STALLED:
    "messages are ready but none is delivered: an active single consumer, or consumers with a higher priority, keep them",
};
