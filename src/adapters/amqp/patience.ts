import type { HeldChannel } from "./held-channel.ts";

/** Messages are ready, but none comes: other consumers, or the queue's own rules, keep them from us. */
const STALLED_MS = 30_000;

/** Why nothing more is to be expected: others have it, or something keeps it from us. */
export type NothingMore = "TAKEN" | "STALLED";

/** Decides, while no delivery comes, whether one may still come. */
export class Patience {
  readonly #held: Pick<HeldChannel, "count">;
  readonly #state: { readonly delivered: number };
  readonly #quietMs: number;
  readonly #isAttached: boolean;
  #progressAt = Date.now();
  /** Since when nothing has been ready and nothing has come, and how much had come by then. */
  #emptySince: number | null = null;
  #emptyAt = 0;
  #taken = false;
  #looking = false;

  constructor(parts: {
    held: Pick<HeldChannel, "count">;
    state: { readonly delivered: number };
    /** This long without a delivery while nothing is ready means that nothing more will come. */
    quietMs: number;
    /** A consumer of ours is attached: a count without consumers is no answer. */
    isAttached: boolean;
  }) {
    this.#held = parts.held;
    this.#state = parts.state;
    this.#quietMs = parts.quietMs;
    this.#isAttached = parts.isAttached;
  }

  progressed(): void {
    this.#progressAt = Date.now();
  }

  /** null: wait on. */
  verdict(): NothingMore | null {
    if (this.#taken && this.#state.delivered === this.#emptyAt) return "TAKEN";
    if (Date.now() - this.#progressAt > STALLED_MS) return "STALLED";
    // Not awaited: the answer may stand behind deliveries that must be taken first.
    if (!this.#looking) void this.#look();
    return null;
  }

  async #look(): Promise<void> {
    this.#looking = true;
    // An answer that does not come is no answer: whatever ended the channel has been noted.
    const count = await this.#held.count().catch(() => null);
    const { delivered } = this.#state;
    const empty = count !== null && count.ready === 0 && (count.consumers > 0 || !this.#isAttached);
    if (!empty) this.#emptySince = null;
    else if (this.#emptySince === null || delivered !== this.#emptyAt) {
      this.#emptySince = Date.now();
      this.#emptyAt = delivered;
    }
    this.#taken = this.#emptySince !== null && Date.now() - this.#emptySince >= this.#quietMs;
    this.#looking = false;
  }
}
