import { BackupError } from "../../domain/errors.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import type { HoldRecipe } from "../../domain/reading-recipe.ts";
import type { DeliverySource } from "./delivery-source.ts";
import { acknowledge, holdTheRest, mayBeOfThose, nackAll, type Holding } from "./give-back.ts";
import type { HeldChannel, QueueCount } from "./held-channel.ts";
import type { HoldIntake } from "./hold-intake.ts";
import { untilCounted } from "./quorum-count.ts";

export interface ReleaseParts {
  readonly queue: QueueAddress;
  readonly recipe: Pick<HoldRecipe, "release">;
  readonly held: HeldChannel;
  readonly intake: HoldIntake;
  readonly quorum: boolean;
  /** Messages ready behind the cut. */
  readonly leftOver: number;
  /** Ready messages by another channel, as soon as `shown`; null: not to be had. */
  readonly countAfter: (shown: (count: QueueCount) => boolean) => Promise<number | null>;
}

const COUNT_MS = 5000;

/** The end of a hold, once: everything goes back, or what was read is removed and the rest goes back. */
export class Release {
  /** When it was done, by us or by the broker. */
  at: Date | null = null;
  readyAfter: number | null = null;
  readonly notes: string[] = [];
  source: DeliverySource | null = null;
  readonly #parts: ReleaseParts;
  #done: Promise<void> | null = null;
  #takenBack = false;

  constructor(parts: ReleaseParts) {
    this.#parts = parts;
  }

  /** The broker took back what was held, or a part of it: so the rest goes back too. */
  takenBack(): void {
    this.#takenBack = true;
    this.requeueLater();
  }

  /** Everything back to the queue, by the recipe. Nothing when it has been settled already. */
  async requeue(): Promise<void> {
    this.#done ??= this.#giveBack();
    await this.#done;
  }

  /** For callers that cannot wait; `requeue` meets the failure. */
  requeueLater(): void {
    this.requeue().catch(() => undefined);
  }

  /** Removes the first `messages`, the rest goes back. Throws BROKER_LOST when they had gone back, or may have. */
  async consume(messages: number): Promise<void> {
    if (messages === 0) return this.requeue();
    if (this.#done || this.#parts.held.gone)
      throw this.#notRemoved("went back to the queue before it could be removed");
    this.#done = this.#remove(messages);
    await this.#done;
  }

  async #giveBack(): Promise<void> {
    const { held, recipe } = this.#parts;
    let shown = (_count: QueueCount): boolean => true;
    try {
      await this.#keepOrder();
      const holding = this.#holding();
      if (holding && recipe.release === "nack") await nackAll(holding, 0);
      else if (holding) shown = await returned(holding);
    } catch (error) {
      // Cut off in between: the end of the channel gives everything back.
      if (!held.gone) throw error;
    }
    await this.#close(shown);
  }

  async #remove(messages: number): Promise<void> {
    const { held, recipe, intake } = this.#parts;
    const rest = intake.delivered > messages;
    try {
      if (rest) await this.#keepOrder();
      const holding = this.#holding();
      if (holding) {
        await holding.source.cancelAll();
        await acknowledge(holding, messages);
        if (rest && recipe.release === "nack") await nackAll(holding, messages);
      }
    } catch (error) {
      if (held.gone) throw this.#notRemoved(UNSURE, error);
      throw error;
    }
    if (held.gone || this.#takenBack) throw this.#notRemoved(UNSURE);
    await this.#close(() => true);
  }

  /** A part of a quorum queue must not go back alone. */
  async #keepOrder(): Promise<void> {
    const { quorum, intake, leftOver } = this.#parts;
    if (!quorum || (intake.missing === 0 && leftOver === 0)) return;
    const holding = this.#holding();
    // Not for a queue that is short of deliveries: it would cost every message one.
    if (holding && intake.spent === null && (await holdTheRest(holding))) return;
    if (this.source && mayBeOfThose(this.source, intake)) this.notes.push(ORDER);
  }

  #holding(): Holding | null {
    const { held, intake: state, quorum } = this.#parts;
    return this.source && !held.gone ? { held, source: this.source, state, quorum } : null;
  }

  async #close(shown: (count: QueueCount) => boolean): Promise<void> {
    await this.#parts.held.close();
    this.at ??= new Date();
    this.readyAfter = await this.#parts.countAfter(shown);
  }

  #notRemoved(why: string, cause?: unknown): BackupError {
    return new BackupError("BROKER_LOST", `what was held of ${describeQueue(this.#parts.queue)} ${why}`, {
      hint: "The messages are in the backup, and again on the queue.",
      cause,
    });
  }
}

/** How to see that a queue has back what goes with the channel. */
async function returned({ held, source, state, quorum }: Holding): Promise<(count: QueueCount) => boolean> {
  const before = quorum ? await untilCounted(held, COUNT_MS) : null;
  if (before === null) return () => true;
  const consumers = before.consumers - source.slices.length;
  const ready = before.ready + state.delivered;
  return (now) => now.consumers <= consumers || now.ready >= ready;
}

const UNSURE = "may not all have been removed: the broker broke off the hold meanwhile";
const ORDER =
  "only a part of the queue was held when it went back: messages that were read before may now stand in another order";
