import type { Measures } from "./manifest.ts";

/** What follows from the measures of a backup. null: nothing to divide by, or not known. */
export interface DerivedMeasures {
  /** Stored bytes to the capacity of the target. */
  readonly storageUse: number | null;
  /** Bytes of the segments before compression to the stored bytes. */
  readonly ratio: number | null;
  /** From the beginning until all was durable at the targets: reading and archiving, which go on at once, then shipping. */
  readonly latencyMs: number;
  readonly messagesPerSecond: number | null;
  readonly bodyBytesPerSecond: number | null;
}

export function derivedOf(measures: Measures): DerivedMeasures {
  const { plainBytes, storedBytes, targetBytes, readMs, shipMs, totalMs, messages, bodyBytes } = measures;
  return {
    storageUse: quotient(storedBytes, targetBytes),
    ratio: quotient(plainBytes, storedBytes),
    latencyMs: readMs + shipMs,
    messagesPerSecond: quotient(messages * 1000, totalMs),
    bodyBytesPerSecond: quotient(bodyBytes * 1000, totalMs),
  };
}

function quotient(part: number, whole: number | null): number | null {
  return whole === null || whole === 0 ? null : part / whole;
}
