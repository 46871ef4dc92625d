import type { MessageRecord } from "../../domain/message.ts";
import type { DeliveryTap } from "./delivery-tap.ts";

/** Bytes received and not yet asked for, above which the socket is left alone. */
const PAUSE_ABOVE = 8 * 1024 * 1024;
/** What a record costs in memory besides its bytes. */
const RECORD_OVERHEAD = 256;

type Tap = Pick<DeliveryTap, "keep" | "flow" | "giveBack" | "handOver" | "pause" | "resume">;

/** Holds received records until they are asked for, with bounded memory. */
export class Inbox {
  readonly #tap: Tap;
  #records: MessageRecord[] = [];
  #bytes = 0;
  #closed = false;
  #wake: (() => void) | null = null;

  constructor(tap: Tap) {
    this.#tap = tap;
  }

  push(record: MessageRecord): void {
    this.#records.push(record);
    this.#tap.keep();
    this.#bytes += record.body.length + record.properties.length + RECORD_OVERHEAD;
    if (this.#bytes > PAUSE_ABOVE) {
      this.#tap.pause();
      this.#stopWaiting();
    }
  }

  /** Nothing more will be pushed; what is here can still be taken. */
  close(): void {
    this.#closed = true;
    this.#tap.flow();
    this.#stopWaiting();
  }

  /** Lets `next` hand over what there is. */
  flush(): void {
    if (this.#records.length > 0) this.#stopWaiting();
  }

  #stopWaiting(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** Gives back what was taken before. Something to take now, "idle" after `waitMs` without anything, "end" when closed and empty. */
  async next(waitMs: number): Promise<readonly MessageRecord[] | "idle" | "end"> {
    this.#tap.giveBack();
    if (this.#records.length === 0 && !this.#closed) await this.#wait(waitMs);
    if (this.#records.length > 0) return this.#take();
    return this.#closed ? "end" : "idle";
  }

  #take(): readonly MessageRecord[] {
    const batch = this.#records;
    this.#records = [];
    this.#bytes = 0;
    this.#tap.handOver();
    this.#tap.resume();
    return batch;
  }

  async #wait(waitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }
}
