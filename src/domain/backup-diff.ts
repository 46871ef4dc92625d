import type { QueueEntry, QueueOutcome } from "./manifest.ts";
import type { QueueAddress } from "./queue.ts";
import { NEW, SequenceDiff } from "./sequence-diff.ts";

/** What two backups have of one queue; null: it is not in that one. Never both. */
export interface QueuePair {
  readonly before: QueueEntry | null;
  readonly after: QueueEntry | null;
}

/** Messages of two readings of a queue, by their fingerprints. Of identical messages each counts once. */
export interface MessageDiff {
  /** In both. */
  readonly kept: number;
  /** In the second alone. */
  readonly added: number;
  /** In the first alone. */
  readonly gone: number;
  /** Those in both come in another order. */
  readonly reordered: boolean;
}

export interface QueueSide {
  readonly messages: number;
  readonly outcome: QueueOutcome;
}

export interface QueueDiff extends QueueAddress {
  readonly before: QueueSide | null;
  readonly after: QueueSide | null;
  /** null: one of the two did not read the queue, so nothing can be said. A queue that is new or gone has all its messages so. */
  readonly messages: MessageDiff | null;
}

/** Queues of both by virtual host and name, in that order. */
export function pairQueues(
  before: readonly QueueEntry[],
  after: readonly QueueEntry[],
): readonly QueuePair[] {
  const pairs = new Map<string, QueuePair>();
  const key = ({ vhost, name }: QueueAddress): string => JSON.stringify([vhost, name]);
  for (const queue of before) pairs.set(key(queue), { before: queue, after: null });
  for (const queue of after)
    pairs.set(key(queue), { before: pairs.get(key(queue))?.before ?? null, after: queue });
  return [...pairs].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, pair]) => pair);
}

/** One of the two wanted the queue and did not read it. */
export function isUnread({ before, after }: QueuePair): boolean {
  return before?.outcome === "skipped" || after?.outcome === "skipped";
}

export function queueDiff({ before, after }: QueuePair, messages: MessageDiff | null): QueueDiff {
  const side = (entry: QueueEntry | null): QueueSide | null =>
    entry && { messages: entry.messages, outcome: entry.outcome };
  const { vhost, name } = before ?? after ?? { vhost: "", name: "" };
  return { vhost, name, before: side(before), after: side(after), messages };
}

/** Counts while the second reading comes in pieces: about 30 bytes a message of the first, whatever the second has. */
export class MessageComparison {
  readonly #diff: SequenceDiff;
  readonly #before: number;
  #kept = 0;
  #added = 0;
  #last = -1;
  #reordered = false;

  /** `before`: the fingerprints of the first in queue order, 16 bytes each. */
  constructor(before: Uint8Array, count: number) {
    this.#diff = new SequenceDiff(before);
    this.#before = count;
  }

  /** The next fingerprints of the second. */
  add(fingerprints: Uint8Array): void {
    for (const position of this.#diff.match(fingerprints)) {
      if (position === NEW) {
        this.#added += 1;
        continue;
      }
      this.#kept += 1;
      this.#reordered ||= position < this.#last;
      this.#last = position;
    }
  }

  result(): MessageDiff {
    const [kept, added, gone] = [this.#kept, this.#added, this.#before - this.#kept];
    return { kept, added, gone, reordered: this.#reordered };
  }
}
