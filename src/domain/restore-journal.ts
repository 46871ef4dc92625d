import type { QueueAddress, QueueType } from "./queue.ts";
import type { Route } from "./restore-request.ts";

/** How far the restore of one queue of one backup into one queue came. Messages are counted from the first that is wanted. */
export interface RestoreJournal {
  readonly backup: string;
  /** Without credentials. */
  readonly broker: string;
  readonly source: QueueAddress;
  readonly destination: QueueAddress;
  readonly route: Route;
  /** Which messages are wanted and whether they go to their origin, see `describeTask`. */
  readonly selection: string;
  readonly total: number;
  /** Ready messages in the destination before the first one was sent. */
  readonly initial: number;
  /** The broker has all of them. */
  readonly confirmed: number;
  /** None beyond was ever sent: written down before sending. */
  readonly limit: number;
  /** Some were sent without delivery mode 2: gone from a classic queue when its node restarts. */
  readonly transient: boolean;
  /** Some were sent with an expiration of their own. */
  readonly expiring: boolean;
  /** The first message the queue refused while others were under way; null: none. */
  readonly refusedAt: number | null;
  /** The queue was declared by this restore, so its bindings are too. */
  readonly declared: boolean;
  readonly finished: boolean;
}

export type ResumePoint =
  /** Go on with this message. */
  | { readonly kind: "known"; readonly from: number }
  | {
      readonly kind: "unknown";
      readonly why: string;
      /** What counting says; reading the queue back can prove it. null: not even a candidate. */
      readonly candidate: number | null;
      /** Going on from here repeats no more than `duplicates` messages. */
      readonly confirmed: number;
      readonly duplicates: number;
    };

/**
 * Where a broken-off restore goes on. Messages that were sent and not confirmed may or may not be in the queue, so the queue is
 * counted: it had `initial` messages, it now has `ready`, so the difference came from us, provided that nobody else added or took
 * any. What can be checked of this is: the count lies between what was confirmed and what can have been sent.
 * Where counting proves nothing the point is unknown.
 */
export function resumePoint(
  journal: RestoreJournal,
  now: { readonly ready: number; readonly consumers: number; readonly type: QueueType },
): ResumePoint {
  const { confirmed, limit, total } = journal;
  if (journal.finished || confirmed >= total) return { kind: "known", from: total };
  if (limit === 0) return { kind: "known", from: 0 };
  const stored = now.ready - journal.initial;
  const open = { confirmed, duplicates: limit - confirmed };
  const hopeless = whyHopeless(journal, stored, now);
  if (hopeless !== null) return { kind: "unknown", why: hopeless, candidate: null, ...open };
  const unproven = whyUnproven(journal, stored, now.type);
  if (unproven !== null) return { kind: "unknown", why: unproven, candidate: stored, ...open };
  return { kind: "known", from: stored };
}

function whyHopeless(
  journal: RestoreJournal,
  stored: number,
  now: { readonly consumers: number; readonly type: QueueType },
): string | null {
  const { confirmed, limit } = journal;
  if (journal.route === "origin") return "its messages went wherever their exchanges led";
  if (now.type === "stream") return "the message count of a stream is not exact";
  if (now.consumers > 0) return `${plural(now.consumers, "consumer")} may have taken some`;
  if (stored < confirmed)
    return `${confirmed} messages were confirmed and only ${Math.max(0, stored)} are still there`;
  if (stored > limit)
    return `it holds ${stored} messages more than before and no more than ${limit} were sent`;
  return null;
}

/** The count is possible, and yet another history would give the same. */
function whyUnproven(journal: RestoreJournal, stored: number, type: QueueType): string | null {
  const { confirmed, transient, expiring, refusedAt } = journal;
  if (refusedAt !== null && stored !== confirmed) {
    return `message ${refusedAt} was refused and ${stored - confirmed} later ones may have been taken`;
  }
  if (expiring) return "messages of it may have expired";
  return transient && type !== "quorum" ? "not all of its messages survive a restart of the broker" : null;
}

function plural(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}
