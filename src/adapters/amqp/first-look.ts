import { BackupError } from "../../domain/errors.ts";
import { consumerTag } from "./delivery-source.ts";
import { copyOf, type Delivery, type DeliverySink } from "./delivery-tap.ts";
import type { HeldChannel, QueueCount } from "./held-channel.ts";
import { untilCounted, untilShown } from "./quorum-count.ts";

const ANSWER_MS = 5000;
const COUNT_MS = 30_000;

/** A message that is held, and the consumer it came by, if that is still attached. */
export interface FirstMessage {
  readonly delivery: Delivery;
  readonly consumerTag: string | null;
}

export interface Look {
  /** null: none came. */
  readonly first: FirstMessage | null;
  /** What else is ready, and the consumers of others. */
  readonly others: QueueCount;
}

/**
 * Takes one message of a quorum queue, to learn from it before all are taken. Attaching is carried out by the queue's leader, so
 * what is counted with our consumer attached is exact, unlike before (see quorum-count.ts).
 */
export class FirstLook implements DeliverySink {
  readonly #held: HeldChannel;
  readonly #details: Readonly<Record<string, unknown>>;
  #consumerTag: string | null = null;
  #arrived: Delivery | null = null;
  #wake: (() => void) | null = null;

  /** `details`: arguments of the consumer. */
  constructor(held: HeldChannel, details: Readonly<Record<string, unknown>>) {
    this.#held = held;
    this.#details = details;
  }

  /** Throws what `HeldChannel.consume` throws, and QUEUE_UNREADABLE when the broker does not answer. */
  async take(): Promise<Look> {
    const tag = consumerTag(0);
    await this.#held.consume(tag, 1, this.#details);
    this.#consumerTag = tag;
    const attached = await this.#counted();
    const first = await this.#arrival(attached.ready > 0 ? ANSWER_MS : 0);
    return { first, others: { ready: attached.ready, consumers: attached.consumers - 1 } };
  }

  /** Gives the message back by nack; the queue sends it again, or the next one if another consumer was faster. */
  async again(): Promise<Look> {
    this.#arrived = null;
    this.#held.requeueTo(0);
    const first = await this.#arrival(ANSWER_MS);
    const { ready, consumers } = await this.#counted();
    return { first, others: { ready, consumers: consumers - 1 } };
  }

  delivery(delivery: Delivery): void {
    this.#arrived = copyOf(delivery);
    this.#wake?.();
  }

  empty(): void {
    // only answers basic.get
  }

  drained(): void {
    // one message is all that is wanted
  }

  async #counted(): Promise<QueueCount> {
    const count = await untilCounted(this.#held, COUNT_MS);
    if (count) return count;
    throw new BackupError("QUEUE_UNREADABLE", "the queue's leader does not answer", {
      hint: "The broker is overloaded or has lost a majority of the queue's members; try again later.",
    });
  }

  /** null: none came, and the consumer is cancelled. */
  async #arrival(patienceMs: number): Promise<FirstMessage | null> {
    await this.#wait(patienceMs);
    if (!this.#arrived && this.#consumerTag !== null) await this.#giveUp(this.#consumerTag);
    return this.#arrived && { delivery: this.#arrived, consumerTag: this.#consumerTag };
  }

  /** A consumer that holds nothing is gone once it is cancelled; else its message is on its way. */
  async #giveUp(tag: string): Promise<void> {
    const { consumers } = await this.#counted();
    await this.#held.cancel(tag);
    this.#consumerTag = null;
    const left = await untilShown(
      () => this.#held.count(),
      () => true,
      COUNT_MS,
    );
    if (left === null || left.consumers >= consumers) await this.#wait(ANSWER_MS);
  }

  async #wait(patienceMs: number): Promise<void> {
    if (this.#arrived || this.#held.gone) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, patienceMs);
      this.#wake = done;
      this.#held.watch({ ended: done, cancelled: done });
    });
  }
}
