import type { Gap, QueueEntry } from "./manifest.ts";
import type { MessageCounts } from "./queue.ts";
import { ACCEPT_IN_FLIGHT } from "./reading-plan.ts";

/** What other consumers had or took; `--accept in-flight` says that this is as it should be. */
const CONSUMED: ReadonlySet<string> = new Set(["IN_FLIGHT", "OUT_OF_REACH", "TAKEN"]);

/** What is exact about a queue at its cut. */
export interface Cut {
  /** null: a stream. */
  readonly ready: number | null;
  readonly consumers: number | null;
}

/**
 * How many messages were in flight with consumers at the cut. Statistics say it up to some seconds late: without any consumer, what
 * they say is only believed as far as ready messages are missing since. null: not known.
 */
export function inFlight(stale: MessageCounts, cut: Cut): number | null {
  const { ready, unacknowledged } = stale;
  if (unacknowledged === null || cut.ready === null) return null;
  if (cut.consumers !== 0 || ready === null) return unacknowledged;
  return Math.max(0, Math.min(unacknowledged, ready + unacknowledged - cut.ready));
}

/** Gaps for what the broker knew at the cut and no reader can be given. */
export function gapsBefore(unacknowledged: number | null, outOfReach: number | null): Gap[] {
  const gaps: Gap[] = [];
  if (unacknowledged !== null && unacknowledged > 0) {
    gaps.push({
      code: "IN_FLIGHT",
      message: "in flight with consumers when reading began",
      messages: unacknowledged,
    });
  }
  if (outOfReach !== null && outOfReach > 0) {
    const message = "delayed for retry or waiting to be dead-lettered";
    gaps.push({ code: "OUT_OF_REACH", message, messages: outOfReach });
  }
  return gaps;
}

/** A gap that nobody accepted makes a queue partial. */
export function isAccepted(gap: Gap, accept: ReadonlySet<string>): boolean {
  return accept.has(ACCEPT_IN_FLIGHT) && CONSUMED.has(gap.code);
}

/** Messages known to the broker at the cut, and how many of them are missing. */
export function lossOf(entries: readonly QueueEntry[]): { readonly known: number; readonly lost: number } {
  let known = 0;
  let lost = 0;
  for (const entry of entries) {
    const missing =
      entry.outcome === "skipped"
        ? (entry.before.ready ?? 0) + (entry.before.unacknowledged ?? 0)
        : entry.gaps.reduce((sum, gap) => sum + (gap.messages ?? 0), 0);
    lost += missing;
    known += entry.messages + missing;
  }
  return { known, lost };
}
