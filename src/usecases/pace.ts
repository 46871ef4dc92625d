import type { Rate } from "./backup-types.ts";

/** Resolves when this much more may be taken. */
export type Pace = (messages: number, bytes: number, signal: AbortSignal) => Promise<void>;

/** Keeps all callers together to a rate; what was not used is not saved up. */
export function paceOf(
  rate: Rate | null,
  clock: { now(): Date; sleep(ms: number, signal: AbortSignal): Promise<void> },
): Pace {
  if (rate === null) return () => Promise.resolve();
  let freeAt = 0;
  return async (messages, bytes, signal) => {
    const now = clock.now().getTime();
    const costMs = ((rate.per === "messages" ? messages : bytes) / rate.amount) * 1000;
    freeAt = Math.max(freeAt, now) + costMs;
    const waitMs = freeAt - now;
    if (waitMs > 1) await clock.sleep(waitMs, signal);
  };
}
