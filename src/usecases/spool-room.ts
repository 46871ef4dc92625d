import { mayBegin } from "../domain/spool-limit.ts";
import type { Spool } from "../ports/spool.ts";

export interface SpoolRoomOptions {
  readonly spool: Pick<Spool, "disk">;
  readonly volumeBytes: number;
  readonly maxBytes: number | null;
  now(): Date;
  /** The next volume has to wait; `bytes` wait for targets. */
  onFull(bytes: number): void;
}

/** Keeps account of the finished volumes in a spool, and says when another may be begun. */
export class SpoolRoom {
  readonly #options: SpoolRoomOptions;
  #waitingBytes = 0;
  #waitedMs = 0;
  #onReleased: () => void = () => undefined;

  constructor(options: SpoolRoomOptions) {
    this.#options = options;
  }

  /** How long volumes had to wait for room, in all. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** Counts the bytes until the work is over, however it ends. */
  async holding<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    this.#waitingBytes += bytes;
    try {
      return await work();
    } finally {
      this.#waitingBytes -= bytes;
      this.#onReleased();
    }
  }

  /** Resolves when another volume may be begun. One caller at a time. */
  async forNext(): Promise<void> {
    if (await this.#isThere()) return;
    const since = this.#options.now().getTime();
    this.#options.onFull(this.#waitingBytes);
    for (;;) {
      const released = new Promise<void>((resolve) => (this.#onReleased = resolve));
      if (await this.#isThere()) break;
      await released;
    }
    this.#waitedMs += this.#options.now().getTime() - since;
  }

  async #isThere(): Promise<boolean> {
    if (this.#waitingBytes === 0) return true;
    const { spool, volumeBytes, maxBytes } = this.#options;
    const disk = await spool.disk();
    return mayBegin({ waitingBytes: this.#waitingBytes, volumeBytes, maxBytes }, disk);
  }
}
