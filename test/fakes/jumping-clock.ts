import { setImmediate as turn } from "node:timers/promises";
import type { UploadClock } from "../../src/adapters/store/upload-rate.ts";

export interface JumpingClock extends UploadClock {
  /** What nobody sleeps through. */
  pass(ms: number): void;
}

/** Time stands still but for sleepers: each wakes at once, and then it is as late as he asked for, and `lateMs` later. */
export function jumpingClock(lateMs = 0): JumpingClock {
  let now = 0;
  return {
    now: () => now,
    sleep: async (ms, signal) => {
      const until = now + ms + lateMs;
      await turn();
      signal?.throwIfAborted();
      now = Math.max(now, until);
    },
    pass: (ms) => void (now += ms),
  };
}
