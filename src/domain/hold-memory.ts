import type { QueueInfo } from "./queue.ts";

/** Bodies below this are kept in the queue's own store and come into memory with it when held. */
const EMBEDDED_BELOW_BYTES = 4096;
/** Besides the body, a message. Measured on 3.10, 4.0 and 4.3. */
const CLASSIC_EMBEDDED_BYTES = 800;
const CLASSIC_BYTES = 500;
const QUORUM_BYTES = 200;

/**
 * What holding all ready messages of a queue may cost the broker's memory, bytes. For small bodies on classic queues it stays taken
 * until they are consumed. null: not known; 0: streams.
 */
export function holdMemoryBytes(queue: QueueInfo): number | null {
  const { ready } = queue.counts;
  if (queue.type === "stream") return 0;
  if (ready === null) return null;
  if (queue.type === "quorum") return ready * QUORUM_BYTES;
  if (queue.readyBytes === null) return null;
  const average = ready === 0 ? 0 : queue.readyBytes / ready;
  if (average >= EMBEDDED_BELOW_BYTES) return ready * CLASSIC_BYTES;
  return queue.readyBytes + ready * CLASSIC_EMBEDDED_BYTES;
}

/** How much of the broker's memory a hold may be expected to take: bytes, or a part of what is free below the watermark (0 to 1). */
export type HoldMemory = { readonly bytes: number } | { readonly part: number };

export function allowedBytes(limit: HoldMemory, freeBytes: number): number {
  return "bytes" in limit ? limit.bytes : Math.floor(limit.part * freeBytes);
}
