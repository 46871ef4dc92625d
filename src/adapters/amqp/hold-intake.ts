import { stripAnnotations } from "../../domain/property-section.ts";
import type { HoldRecipe } from "../../domain/reading-recipe.ts";
import type { Delivery, DeliverySink } from "./delivery-tap.ts";
import type { HeldState } from "./give-back.ts";
import type { Inbox } from "./inbox.ts";

export interface IntakeParts {
  readonly inbox: Pick<Inbox, "push" | "flush" | "close">;
  /** How many messages are to be captured. */
  readonly wanted: number;
  readonly recipe: Pick<HoldRecipe, "budget" | "proveLimit">;
  /** All that is wanted has been captured. */
  readonly onCut: () => void;
  /** The queue had nothing for a request. */
  readonly onEmpty: () => void;
}

/** Captures deliveries up to the cut and keeps account of all there are, and of the deliveries they have left. */
export class HoldIntake implements DeliverySink, HeldState {
  delivered = 0;
  firstTag = 0;
  lastRedelivered = false;
  captured = 0;
  /** Why no more should be asked for than is on its way already: that has its delivery charged, read or not. null: no reason. */
  spent: string | null = null;
  readonly #parts: IntakeParts;
  #open = true;
  /** Messages for which one more failed delivery is the last. */
  #atLimit = 0;
  /** Messages that keep fewer deliveries than they should. */
  #short = 0;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  get missing(): number {
    return this.#parts.wanted - this.captured;
  }

  delivery(delivery: Delivery): void {
    this.delivered += 1;
    if (this.delivered === 1) this.firstTag = delivery.deliveryTag;
    this.lastRedelivered = delivery.redelivered;
    const stripped = stripAnnotations(delivery.properties);
    this.#weigh(stripped.deliveryCount ?? 0);
    if (!this.#open) return;
    this.captured += 1;
    const { redelivered, exchange, routingKey, body } = delivery;
    this.#parts.inbox.push({ redelivered, exchange, routingKey, properties: stripped.properties, body });
    if (this.missing === 0) this.#parts.onCut();
  }

  empty(): void {
    this.#parts.onEmpty();
  }

  drained(): void {
    this.#parts.inbox.flush();
  }

  /** From now on deliveries are counted only. */
  close(): void {
    this.#open = false;
    this.#parts.inbox.close();
  }

  notes(): string[] {
    const { budget } = this.#parts.recipe;
    const notes: string[] = [];
    if (budget && this.#short > 0)
      notes.push(`${this.#short} messages have fewer than ${budget.keep} deliveries left`);
    if (this.#atLimit > 0)
      notes.push(
        budget
          ? `${this.#atLimit} messages had reached the delivery limit: giving them back dropped or dead-lettered them`
          : `${this.#atLimit} messages have reached the delivery limit: the next failed delivery drops or dead-letters them`,
      );
    return notes;
  }

  #weigh(count: number): void {
    const { budget, proveLimit } = this.#parts.recipe;
    const limit = budget?.limit ?? proveLimit;
    if (limit !== null && count >= limit) this.#atLimit += 1;
    if (!budget || budget.limit - count >= budget.keep) return;
    this.#short += 1;
    this.spent ??= `a message has been delivered ${count} times of ${budget.limit}: reading on would leave it fewer than ${budget.keep}`;
  }
}
