import { BackupError } from "../../domain/errors.ts";
import type { AmqpConnection } from "./connection.ts";

/**
 * While a memory or disk alarm is in effect the broker takes nothing from connections that publish (`connection.blocked`) and answers
 * nothing on them either. This is waited for, but not for ever.
 */
export class AlarmWatch {
  readonly #limitMs: number;
  readonly #onBlocked: (reason: string | null) => void;
  #timer: NodeJS.Timeout | undefined;
  #reason: string | null = null;
  #expired: BackupError | null = null;
  #listeners: (() => void)[] = [];
  #stopped = false;

  constructor(connection: AmqpConnection, limitMs: number, onBlocked: (reason: string | null) => void) {
    this.#limitMs = limitMs;
    this.#onBlocked = onBlocked;
    connection.model.on("blocked", (reason: string) => this.#block(reason));
    connection.model.on("unblocked", () => this.#unblock());
  }

  get blocked(): boolean {
    return this.#reason !== null;
  }

  /** BROKER_ALARM, once the limit has passed. */
  get expired(): BackupError | null {
    return this.#expired;
  }

  /** Called at every change. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** What `answer` gives, unless the alarm outlasts the limit first. */
  async outlast<T>(answer: Promise<T>): Promise<T> {
    const tooLong = new Promise<never>((_, reject) => {
      this.onChange(() => {
        if (this.#expired) reject(this.#expired);
      });
    });
    return Promise.race([answer, tooLong]);
  }

  stop(): void {
    this.#stopped = true;
    this.#listeners = [];
    clearTimeout(this.#timer);
  }

  #block(reason: string): void {
    if (this.#reason !== null || this.#stopped) return;
    this.#reason = reason;
    this.#timer = setTimeout(() => this.#expire(reason), this.#limitMs);
    this.#onBlocked(reason);
    this.#changed();
  }

  #unblock(): void {
    if (this.#reason === null || this.#stopped) return;
    this.#reason = null;
    clearTimeout(this.#timer);
    this.#onBlocked(null);
    this.#changed();
  }

  #expire(reason: string): void {
    const seconds = Math.round(this.#limitMs / 1000);
    this.#expired = new BackupError(
      "BROKER_ALARM",
      `the broker has blocked publishers for ${seconds} s: ${reason}`,
      {
        hint: "Free memory or disk at the broker, then go on with --resume.",
      },
    );
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
