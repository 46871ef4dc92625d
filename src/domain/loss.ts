import type { Gap, QueueEntry } from "./manifest.ts";
import type { MessageCounts } from "./queue.ts";
import { ACCEPT_IN_FLIGHT } from "./reading-plan.ts";

/** What other consumers had or took; `--accept in-flight` says that this is as it should be. */
const CONSUMED: ReadonlySet<string> = new Set(["IN_FLIGHT", "OUT_OF_REACH", "TAKEN"]);

/** Gaps for what the broker knew at the cut and no reader can be given. */
export function gapsBefore(counts: MessageCounts, outOfReach: number | null): Gap[] {
  const gaps: Gap[] = [];
  if (counts.unacknowledged !== null && counts.unacknowledged > 0) {
    const message = "in flight with consumers when reading began";
    gaps.push({ code: "IN_FLIGHT", message, messages: counts.unacknowledged });
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
