import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { SftpLocation } from "../../domain/sftp-location.ts";
import { openSession } from "./sftp-connect.ts";
import { raced } from "./raced.ts";
import { ConnectionLost, type SftpSession } from "./sftp-session.ts";

export interface SftpTimes {
  /** From the look-up of the name to the first request. */
  readonly connectMs: number;
  /** A server that answers no request for so long is given up. */
  readonly silenceMs: number;
  /** The same while a file is being synced. */
  readonly syncMs: number;
  /** The first wait before another try; each further one is about twice as long. */
  readonly waitMs: number;
}

/** What one call may cost: a connection that breaks costs 1, a server that falls silent 2. */
const PATIENCE = 6;

/** One connection to a server: opened when it is first needed, and anew when it is lost. */
export class SftpConnection {
  readonly times: SftpTimes;
  readonly #location: SftpLocation;
  #session: SftpSession | null = null;
  #opening: Promise<SftpSession> | null = null;
  /** The host, its key and the login were right once: what does not answer now may do so soon. */
  #proven = false;

  constructor(location: SftpLocation, times: SftpTimes) {
    this.#location = location;
    this.times = times;
  }

  /** Does the work, and again from its start on a new connection when that breaks: it must bear that. Rejects ConnectionLost at last. */
  async run<T>(signal: AbortSignal | undefined, work: (session: SftpSession) => Promise<T>): Promise<T> {
    // All that is under way waits for it: many listeners are no leak.
    if (signal !== undefined) setMaxListeners(0, signal);
    let patience = PATIENCE;
    for (let wait = this.times.waitMs; ; wait *= 2) {
      signal?.throwIfAborted();
      try {
        return await work(await this.#opened(signal));
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof ConnectionLost)) throw error;
        patience -= error.how === "silent" ? 2 : 1;
        const hopeless = !this.#proven && !["lost", "ECONNRESET"].includes(error.how);
        if (hopeless || patience <= 0) throw error;
      }
      // Ended early, it has an error of its own for that.
      await delay(wait * (0.5 + Math.random()), undefined, signal && { signal }).catch(() => undefined);
    }
  }

  /** One for all who wait; none of them ends it for the others. */
  async #opened(signal: AbortSignal | undefined): Promise<SftpSession> {
    if (this.#session?.ended === null) return this.#session;
    this.#opening ??= this.#open();
    return raced(this.#opening, signal);
  }

  async #open(): Promise<SftpSession> {
    try {
      this.#session = await openSession(this.#location, this.times);
      this.#proven = true;
      return this.#session;
    } finally {
      this.#opening = null;
    }
  }
}
