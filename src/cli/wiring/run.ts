import { setTimeout as delay } from "node:timers/promises";

/** What a run needs to hold a lease. */
export async function wireRun() {
  const { RUNS } = await import("../../adapters/process/runs.ts");
  return {
    runs: RUNS,
    now: () => new Date(),
    sleep: async (ms: number, signal: AbortSignal) => sleep(ms, signal),
  };
}

export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, { ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
