import { vi } from "vitest";

/** Under fake timers: lets time pass until the promise is settled. */
export async function inFakeTime<T>(promise: Promise<T>): Promise<T> {
  const waiting = { done: false };
  const end = promise.finally(() => (waiting.done = true));
  while (!waiting.done) await vi.advanceTimersByTimeAsync(10);
  return end;
}
