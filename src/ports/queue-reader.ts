import type { BackupError } from "../domain/errors.ts";
import type { MessageRecord } from "../domain/message.ts";
import type { BrokerInfo, QueueAddress } from "../domain/queue.ts";
import type { ReadingRecipe } from "../domain/reading-recipe.ts";
import type { Gap } from "../domain/manifest.ts";
import type { Abortable } from "./abortable.ts";

export interface OpenOptions extends Abortable {
  /**
   * until-read: everything goes back the moment the cut is reached, while the last batches still wait here to be taken.
   * until-settled: held until `settle`, for drain.
   */
  readonly hold: "until-read" | "until-settled";
  /** Give the queue back after this long, read or not; what was not read becomes a gap. */
  readonly maxHoldMs: number;
  /** Read at most so many; the cut is then there. Absent: all that is ready. */
  readonly atMost?: number;
  /** Average body of a ready message if known, to size the window of quorum queues. */
  readonly averageBodyBytes: number | null;
}

/**
 * Opens queues for reading. One reader may have several cursors at once, each with a connection of its own.
 * Before anything is read the queue is locked at the broker: a second reader anywhere gets QUEUE_LOCKED.
 */
export interface QueueReader {
  /** What the broker says of itself on connecting. Throws BROKER_UNREACHABLE, LOGIN_REFUSED, VHOST_MISSING. */
  describe(vhost: string, options?: Abortable): Promise<BrokerInfo>;
  /**
   * Which of these queues of one virtual host may not be read, and why (QUEUE_MISSING, QUEUE_REFUSED, QUEUE_BUSY); none: null.
   * Touches nothing. Throws as `describe`.
   */
  access(
    vhost: string,
    names: readonly string[],
    options?: Abortable,
  ): Promise<ReadonlyMap<string, BackupError | null>>;
  /**
   * Throws QUEUE_MISSING, QUEUE_REFUSED (permission), QUEUE_LOCKED (another run of mqbackup reads it), QUEUE_BUSY (exclusive use by
   * others), QUEUE_UNSAFE (found only by looking: e.g. a nack counts after all), BROKER_UNREACHABLE, LOGIN_REFUSED, VHOST_MISSING.
   */
  open(queue: QueueAddress, recipe: ReadingRecipe, options: OpenOptions): Promise<QueueCursor>;
}

/**
 * The messages ready at the cut, in order, in batches. Iterate once, to the end, then `settle`.
 * - A batch's views are valid until the next one is asked for.
 * - Iteration ends at the cut, or earlier with `gaps` saying why (held too long, the queue vanished, the broker took the messages
 *   back, an alarm, a message with too few deliveries left). It throws only when aborted.
 * - Disposing without `settle` requeues by the recipe.
 */
export interface QueueCursor extends AsyncIterable<readonly MessageRecord[]>, AsyncDisposable {
  /** Messages to be read: ready ones by passive declare when reading began, or `atMost` if that is fewer; null for streams. */
  readonly readyAtCut: number | null;
  /** Consumers of others when reading began, exact; null for streams. */
  readonly consumersAtCut: number | null;
  /** Ready messages behind the cut, left for another time because of `atMost`. */
  readonly leftOver: number;
  readonly cutAt: Date;
  /** True: no lock could be taken (no configure permission on mqbackup.lock.*): nothing keeps a second run away. */
  readonly unprotected: boolean;
  /** Complete after the iteration. */
  readonly gaps: readonly Gap[];
  readonly notes: readonly string[];
  /**
   * requeue: everything back to the queue, by the recipe. consume: what was yielded is removed, anything else goes back; resolves
   * when the broker has done it. Throws BROKER_LOST when what was held had gone back by itself.
   */
  settle(outcome: "requeue" | "consume"): Promise<void>;
  /** Ends the iteration before the cut with this reason (its `messages` is filled in); what is held goes back as at the cut. */
  stop(gap: Gap): void;
  /** When the messages went back or were removed; null: not yet. */
  readonly releasedAt: Date | null;
  /** Ready messages by passive declare after that; null when it could not be asked, or for a stream. */
  readonly readyAfter: number | null;
}
