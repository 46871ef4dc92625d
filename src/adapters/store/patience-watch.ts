import { BackupError } from "../../domain/errors.ts";

export interface Patience {
  /** Nothing of a call moves for so long: it has failed. A part of a body that is asked for is a move, and so is an item that is given. */
  readonly stallMs: number;
  /** The same, from a first such failure on until something moves again. */
  readonly afterStallMs: number;
  /** For a call that was broken off to end by itself: it should not be at work any more when its failure is told. */
  readonly graceMs: number;
}

/** What all calls of one store know. */
export interface StallState {
  readonly location: string;
  readonly patience: Patience;
  stalled: boolean;
}

/** Watches over the steps of one call, one at a time: there may be very many. Close it when no more come. */
export class PatienceWatch {
  readonly #state: StallState;
  readonly #doing: string;
  readonly #ending = new AbortController();
  readonly #outer: AbortSignal | undefined;
  /** Of the step under way. */
  #reject: ((reason: unknown) => void) | null = null;
  #timer: NodeJS.Timeout | null = null;
  #timerMs = 0;
  #grace: NodeJS.Timeout | null = null;

  constructor(state: StallState, doing: string, outer: AbortSignal | undefined) {
    this.#state = state;
    this.#doing = doing;
    this.#outer = outer;
    outer?.addEventListener("abort", () => this.#breakOff(outer.reason), {
      once: true,
      signal: this.#ending.signal,
    });
  }

  /** What the steps are to heed. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Something was broken off: what is at work may never end. */
  get brokenOff(): boolean {
    return this.#grace !== null;
  }

  /** Rejects with the failure when the step does not end. Time between two steps does not count. */
  async step<T>(work: () => Promise<T>): Promise<T> {
    this.#outer?.throwIfAborted();
    return new Promise<T>((resolve, reject) => {
      this.#reject = reject;
      this.#arm();
      void this.#carryOut(work, resolve, reject);
    });
  }

  async #carryOut<T>(
    work: () => Promise<T>,
    resolve: (result: T) => void,
    reject: (reason: unknown) => void,
  ): Promise<void> {
    try {
      const result = await work();
      this.#state.stalled = false;
      resolve(result);
    } catch (error) {
      reject(error);
    } finally {
      this.#reject = null;
    }
  }

  moved(): void {
    this.#state.stalled = false;
    if (!this.#ending.signal.aborted) this.#arm();
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#grace !== null) clearTimeout(this.#grace);
    // The listener goes with it.
    this.#ending.abort();
  }

  #arm(): void {
    const { stalled, patience } = this.#state;
    const ms = stalled ? patience.afterStallMs : patience.stallMs;
    if (this.#timer !== null && this.#timerMs === ms) {
      this.#timer.refresh();
      return;
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerMs = ms;
    this.#timer = setTimeout(() => this.#onTime(ms), ms);
  }

  #onTime(ms: number): void {
    // Between two steps it is not the store that takes its time; the next step arms the timer again.
    if (this.#reject === null) return;
    this.#state.stalled = true;
    this.#breakOff(tooSlow(this.#state.location, this.#doing, ms));
  }

  #breakOff(reason: unknown): void {
    if (this.#grace !== null) return;
    this.#grace = setTimeout(() => this.#reject?.(reason), this.#state.patience.graceMs);
    this.#ending.abort(reason);
  }
}

function tooSlow(location: string, doing: string, ms: number): BackupError {
  const took = ms < 60_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`;
  return new BackupError("TARGET_FAILED", `${location} has not moved for ${took} while ${doing}`, {
    hint: "Look whether the target is reachable: a network file system may hang, a server may be overloaded.",
  });
}
