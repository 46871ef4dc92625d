import { hasCode } from "../domain/errors.ts";
import type { Gap, QueueEntry } from "../domain/manifest.ts";
import { differingPart, type ComparisonRules } from "../domain/message-comparison.ts";
import type { MessageRecord } from "../domain/message.ts";
import type { BrokerInfo, QueueAddress, QueueInfo } from "../domain/queue.ts";
import { planReading } from "../domain/reading-plan.ts";
import { sequenceOf, type RestoreTarget } from "../domain/restore-targets.ts";
import type { RestoreContent } from "./restore-content.ts";
import type { ReadBack, RestoreCommand, RestoreDeps } from "./restore-types.ts";

/** Messages expected in the destination, one part behind the other. */
export type ExpectedPart = Pick<RestoreTarget, "source" | "choice" | "bodyBytes"> & {
  /** From the first message that is wanted, so many. */
  readonly messages: number;
};

export interface ReadBackRequest {
  readonly queue: QueueInfo;
  readonly broker: BrokerInfo;
  /** Messages in the destination that are not ours, before the first part. */
  readonly before: number;
  readonly parts: readonly ExpectedPart[];
  readonly rules: ComparisonRules;
  readonly content: RestoreContent;
}

/**
 * Reads the destination as a backup would, gives everything back, and compares it with the backup, message by message and in order.
 * Reading sets the redelivered flag of all of them. Only aborting rejects: a queue that cannot be read is `unread`.
 */
export async function readBack(
  deps: Pick<RestoreDeps, "reader" | "report">,
  reading: RestoreCommand["reading"],
  request: ReadBackRequest,
  signal: AbortSignal,
): Promise<ReadBack> {
  const { queue, broker, parts } = request;
  const destination = { vhost: queue.vhost, name: queue.name };
  const verdict = planReading(queue, broker, { ...reading.policy, drain: false });
  if (verdict.recipe === null) return { kind: "unread", why: verdict.danger?.message ?? "it cannot be read" };
  const messages = parts.reduce((sum, part) => sum + part.messages, 0);
  const bodyBytes = parts.reduce((sum, part) => sum + part.bodyBytes, 0);
  try {
    await using cursor = await deps.reader.open(destination, verdict.recipe, {
      hold: "until-read",
      maxHoldMs: reading.maxHoldMs,
      averageBodyBytes: messages === 0 ? null : bodyBytes / messages,
      signal,
    });
    const comparison = new Comparison(request, signal);
    try {
      for await (const batch of cursor) {
        const difference = await comparison.take(batch);
        if (difference) return difference;
        deps.report({ kind: "queue-read-back", destination, compared: comparison.compared });
      }
      await cursor.settle("requeue");
      return unread(cursor.gaps) ?? (await comparison.end());
    } finally {
      await comparison.close();
    }
  } catch (error) {
    if (signal.aborted || !hasCode(error, ...UNREADABLE)) throw error;
    return { kind: "unread", why: error.message };
  }
}

const UNREADABLE = [
  "QUEUE_MISSING",
  "QUEUE_REFUSED",
  "QUEUE_LOCKED",
  "QUEUE_BUSY",
  "QUEUE_UNSAFE",
  "QUEUE_UNREADABLE",
  "BROKER_UNREACHABLE",
  "BROKER_LOST",
] as const;

function unread(gaps: readonly Gap[]): ReadBack | null {
  const [gap] = gaps;
  return gap === undefined ? null : { kind: "unread", why: gap.message };
}

/** What is known of a queue that only AMQP tells of. */
export function barelyKnown(queue: QueueAddress, source: QueueEntry): QueueInfo {
  return {
    ...queue,
    type: source.type,
    durable: source.durable,
    autoDelete: source.autoDelete,
    exclusive: null,
    arguments: source.arguments,
    policy: null,
    operatorPolicy: null,
    effectivePolicy: {},
    deliveryLimit: null,
    delayedRetry: null,
    counts: { ready: null, unacknowledged: null },
    readyBytes: null,
    outOfReach: null,
    consumers: null,
    exclusiveConsumer: null,
    state: null,
  };
}

/** The backup's side of the comparison, and how far it got. */
class Comparison {
  readonly #request: ReadBackRequest;
  readonly #segments: AsyncGenerator<Expected, void, undefined>;
  #current: Expected = NOTHING;
  #at = 0;
  #skip: number;
  #compared = 0;

  constructor(request: ReadBackRequest, signal: AbortSignal) {
    this.#request = request;
    this.#skip = request.before;
    this.#segments = expectedRecords(request, signal);
  }

  get compared(): number {
    return this.#compared;
  }

  /** The first difference, or null. */
  async take(found: readonly MessageRecord[]): Promise<ReadBack | null> {
    for (const message of found) {
      if (this.#skip > 0) {
        this.#skip--;
        continue;
      }
      if (this.#at === this.#current.records.length) await this.#advance();
      const record = this.#current.records[this.#at];
      if (record === undefined) return { kind: "differs", sequence: this.#compared, part: "extra" };
      const part = differingPart(record, message, this.#request.rules);
      if (part !== null) return { kind: "differs", sequence: this.#sequence(), part };
      this.#at++;
      this.#compared++;
    }
    return null;
  }

  async end(): Promise<ReadBack> {
    if (this.#at === this.#current.records.length) await this.#advance();
    if (this.#at < this.#current.records.length) {
      return { kind: "differs", sequence: this.#sequence(), part: "missing" };
    }
    return { kind: "same", messages: this.#compared };
  }

  async close(): Promise<void> {
    await this.#segments.return();
  }

  /** Of the message the next one is compared with, in its queue. */
  #sequence(): number {
    return sequenceOf(this.#current, this.#current.first + this.#at);
  }

  async #advance(): Promise<void> {
    const next = await this.#segments.next();
    this.#current = next.done === true ? NOTHING : next.value;
    this.#at = 0;
  }
}

interface Expected {
  readonly choice: RestoreTarget["choice"];
  /** Number of its first record among those that are wanted. */
  readonly first: number;
  /** Never empty. */
  readonly records: readonly MessageRecord[];
}

const NOTHING: Expected = { choice: null, first: 0, records: [] };

async function* expectedRecords(
  { parts, content }: ReadBackRequest,
  signal: AbortSignal,
): AsyncGenerator<Expected, void, undefined> {
  for (const { source, choice, messages } of parts) {
    let first = 0;
    for await (const all of content.records({ source, choice }, 0, { signal })) {
      const records = all.slice(0, messages - first);
      if (records.length === 0) break;
      yield { choice, first, records };
      first += records.length;
    }
  }
}
