import type { Socket } from "node:net";
import type { Client, SFTPWrapper } from "ssh2";

/**
 * The connection is gone, or there was none. With it goes the answer: what was asked for may have been done.
 * - lost: it was broken off.
 * - silent: the server has not answered in time.
 * - an errno, e.g. "ECONNREFUSED": no connection came about.
 */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  readonly how: string;

  constructor(how: string) {
    super(`connection: ${how}`);
    this.how = how;
  }
}

/** The server does not offer an extension of OpenSSH's. */
export class NotOffered extends Error {
  override readonly name = "NotOffered";
}

/** What the server answered instead of doing it: a status of SFTP version 3. */
export class StatusAnswer extends Error {
  override readonly name = "StatusAnswer";
  readonly status: number;

  /** What the server says in words may be anything, and goes no further. */
  constructor(status: number) {
    super(`SFTP status ${status}`);
    this.status = status;
  }
}

type Done<T> = (error: Error | null | undefined, value: T) => void;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** No answer to any request for so long ends the connection; default: the session's. */
  readonly silenceMs?: number;
}

interface Pending {
  readonly silenceMs: number;
  fail(error: Error): void;
}

const LOOKS = 8;

/**
 * One SFTP session on a connection of its own. Keeps the process alive only while an answer is waited for; every wait ends: with the
 * answer, with the connection, or with silence.
 */
export class SftpSession {
  /** Set when it has ended. */
  ended: ConnectionLost | null = null;
  readonly #sftp: SFTPWrapper;
  readonly #socket: Socket;
  readonly #silenceMs: number;
  readonly #pending = new Set<Pending>();
  readonly #watch: NodeJS.Timeout;
  #quietSince = 0;

  constructor(client: Client, sftp: SFTPWrapper, socket: Socket, silenceMs: number) {
    this.#sftp = sftp;
    this.#socket = socket;
    this.#silenceMs = silenceMs;
    this.#watch = setInterval(() => this.#look(), silenceMs / LOOKS).unref();
    const lost = (): void => this.end(new ConnectionLost("lost"));
    client.on("error", lost).on("end", lost).on("close", lost);
    sftp.on("error", lost).on("end", lost).on("close", lost);
    socket.on("close", lost).unref();
  }

  /** Sends a request that is answered by a yes. Rejects as `ask` does. */
  async call(
    send: (sftp: SFTPWrapper, done: (error?: Error | null) => void) => void,
    options?: CallOptions,
  ): Promise<void> {
    await this.ask<null>((sftp, done) => send(sftp, (error) => done(error, null)), options);
  }

  /** Sends a request; resolves with the answer. Rejects StatusAnswer, NotOffered, ConnectionLost, or with the signal's reason. */
  async ask<T>(
    send: (sftp: SFTPWrapper, done: Done<T>) => void,
    { signal, silenceMs = this.#silenceMs }: CallOptions = {},
  ): Promise<T> {
    signal?.throwIfAborted();
    if (this.ended !== null) throw this.ended;
    return new Promise<T>((resolve, reject) => {
      const settled = (): void => {
        signal?.removeEventListener("abort", aborted);
        this.#pending.delete(pending);
        if (this.#pending.size === 0 && this.ended === null) this.#socket.unref();
      };
      const pending: Pending = {
        silenceMs,
        fail(error) {
          settled();
          reject(error);
        },
      };
      const aborted = (): void => pending.fail(signal?.reason);
      signal?.addEventListener("abort", aborted, { once: true });
      if (this.#pending.size === 0) {
        this.#socket.ref();
        this.#quietSince = Date.now();
      }
      this.#pending.add(pending);
      try {
        send(this.#sftp, (error, value) => {
          this.#quietSince = Date.now();
          settled();
          if (error === null || error === undefined) resolve(value);
          else reject(this.#meaningOf(error));
        });
      } catch (error) {
        pending.fail(new NotOffered("the server does not offer it", { cause: error }));
      }
    });
  }

  end(why: ConnectionLost): void {
    if (this.ended !== null) return;
    this.ended = why;
    clearInterval(this.#watch);
    this.#socket.destroy();
    for (const pending of this.#pending) pending.fail(why);
  }

  #meaningOf(error: Error): Error {
    if ("code" in error && typeof error.code === "number") return new StatusAnswer(error.code);
    return this.ended ?? new ConnectionLost("lost");
  }

  #look(): void {
    if (this.#pending.size === 0) return;
    const patience = Math.max(...[...this.#pending].map(({ silenceMs }) => silenceMs));
    if (Date.now() - this.#quietSince < patience) return;
    this.end(new ConnectionLost("silent"));
  }
}
