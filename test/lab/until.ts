import { setTimeout as delay } from "node:timers/promises";

export interface UntilOptions {
  /** Give up after this long; default 30 s. */
  readonly timeoutMs?: number;
  /** Pause between two looks; default 25 ms. */
  readonly everyMs?: number;
}

/**
 * Looks again and again until `probe` gives something other than `undefined`, `null` or `false`, and resolves with it.
 * A probe that throws counts as "not yet". Rejects after `timeoutMs`, naming `what` and the last failure.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    try {
      const seen = await probe();
      if (seen !== undefined && seen !== null && seen !== false)
        return seen as NonNullable<Exclude<T, false>>;
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, { cause: failure });
    }
    await delay(options.everyMs ?? 25);
  }
}
