import type { QueueType } from "../lab/queues.ts";

/** What one part of the benchmark fills, reads and restores. */
export interface BenchCase {
  readonly name: string;
  readonly type: QueueType;
  /** Read at once. */
  readonly queues: number;
  /** In each of them. */
  readonly messages: number;
  readonly bodyBytes: number;
  /** Reads only, and only once: what it shows is memory. */
  readonly memoryOnly?: boolean;
}

const CASES: readonly BenchCase[] = [
  { name: "classic 1 KiB", type: "classic", queues: 1, messages: 300_000, bodyBytes: 1024 },
  { name: "classic 64 KiB", type: "classic", queues: 1, messages: 10_000, bodyBytes: 65_536 },
  { name: "classic 100 B", type: "classic", queues: 1, messages: 1_000_000, bodyBytes: 100 },
  { name: "four classic 1 KiB", type: "classic", queues: 4, messages: 75_000, bodyBytes: 1024 },
  { name: "quorum 1 KiB", type: "quorum", queues: 1, messages: 300_000, bodyBytes: 1024 },
  { name: "stream 1 KiB", type: "stream", queues: 1, messages: 300_000, bodyBytes: 1024 },
  {
    name: "million classic 1 KiB",
    type: "classic",
    queues: 1,
    messages: 1_000_000,
    bodyBytes: 1024,
    memoryOnly: true,
  },
];

/** Those whose names begin with `only`; `quick`: a tenth of the messages. */
export function selectCases(only: string, quick: boolean): readonly BenchCase[] {
  return CASES.filter(({ name }) => name.startsWith(only)).map((each) =>
    quick ? { ...each, messages: Math.ceil(each.messages / 10) } : each,
  );
}

export function totalMessages({ queues, messages }: BenchCase): number {
  return queues * messages;
}

/** How a bare reader takes this type of queue. */
export function readingOf(type: QueueType): "hold" | "window" | "stream" {
  return { classic: "hold", quorum: "window", stream: "stream" }[type] as "hold" | "window" | "stream";
}
