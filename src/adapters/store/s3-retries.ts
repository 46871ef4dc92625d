import { BackupError } from "../../domain/errors.ts";
import { failureOf } from "./s3-errors.ts";

/** Of one request, the first try too: with the waits between them a store may be away for a quarter of a minute. */
export const TRIES = 8;
/** As long as there has been no answer at all, and connections are refused: whoever mistyped an address shall learn soon. */
const TRIES_OF_STRANGERS = 4;
/** What a try takes that was given up because nothing came: it has waited long enough by itself. */
const SILENT_TRIES = 3;
/** Before the second try at most; then twice as long each time. Half of it is chance. */
export const WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
/** A store may name a time; no more of it is kept to than this. */
const LONGEST_WISH_MS = 30_000;

interface Tried {
  readonly failed: number;
  /** Of `TRIES`. */
  readonly used: number;
  getRetryCount(): number;
  getRetryDelay(): number;
}

interface Failed {
  readonly error?: unknown;
  /** As the SDK judges it. */
  readonly errorType: string;
  readonly retryAfterHint?: Date;
}

/**
 * Which requests are tried again, and when: what is transient by the SDK's judgement, and answers that cannot be understood. Once all
 * tries of a request have met silence, another request is tried once, until there is an answer again: a run that fails must end.
 */
export class S3Retries {
  readonly mode = "standard";
  readonly #waitMs: number;
  #answered = false;
  #silent = false;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  async acquireInitialRetryToken(): Promise<Tried> {
    return Promise.resolve(tried(0, 0, 0));
  }

  /** Rejects when it is not to be tried again; with what is not looked at. */
  async refreshRetryTokenForRetry(
    token: Tried,
    { error, errorType, retryAfterHint }: Failed,
  ): Promise<Tried> {
    const { name, status } = failureOf(error);
    const silence = name === "TimeoutError";
    if (status !== null) this.#heard();
    const used = token.used + (silence ? SILENT_TRIES : 1);
    const isTransient =
      errorType === "TRANSIENT" || errorType === "THROTTLING" || isUnintelligible(error, status);
    const tries = this.#answered || silence ? TRIES : TRIES_OF_STRANGERS;
    if (!isTransient || used >= tries || (silence && this.#silent)) {
      this.#silent ||= silence;
      throw new BackupError("TARGET_FAILED", "no more tries");
    }
    const most = Math.min(this.#waitMs * 2 ** token.failed, LONGEST_WAIT_MS);
    const wish = retryAfterHint === undefined ? 0 : retryAfterHint.getTime() - Date.now();
    const waitMs = Math.max(most * (0.5 + Math.random() / 2), Math.min(wish, LONGEST_WISH_MS));
    return Promise.resolve(tried(token.failed + 1, used, waitMs));
  }

  recordSuccess(): void {
    this.#heard();
  }

  #heard(): void {
    this.#answered = true;
    this.#silent = false;
  }
}

function tried(failed: number, used: number, waitMs: number): Tried {
  return { failed, used, getRetryCount: () => failed, getRetryDelay: () => waitMs };
}

/** An answer of success that was cut off, or is no answer of such a store. */
function isUnintelligible(error: unknown, status: number | null): boolean {
  return error instanceof Error && status !== null && status < 300;
}
