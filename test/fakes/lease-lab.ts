import type { LeaseDeps, LeaseEvent } from "../../src/usecases/held-lease.ts";
import { newRun } from "./fake-runs.ts";

export interface LeaseLab extends LeaseDeps {
  readonly events: readonly LeaseEvent[];
}

/** A run that knows of no other whether it has ended. `offMs`: how far its clock is ahead. Its time is that of fake timers too. */
export function leaseDeps(more: Parameters<typeof newRun>[0] & { readonly offMs?: number } = {}): LeaseLab {
  const { offMs = 0, ...run } = more;
  const events: LeaseEvent[] = [];
  return {
    events,
    runs: newRun({ isGone: () => false, ...run }),
    now: () => new Date(Date.now() + offMs),
    sleep: async (ms, signal) => {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        }, ms);
        const onAbort = (): void => {
          clearTimeout(timer);
          reject(signal.reason);
        };
        signal.addEventListener("abort", onAbort, { once: true });
      });
    },
    report: (event) => void events.push(event),
  };
}
