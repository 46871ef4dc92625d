import { ownLabel } from "../domain/backup-id.ts";
import type { KeepReason } from "../domain/retention.ts";
import { formatCounted, formatSpan } from "./units.ts";

/** Why a backup stays, in a few words: "last 1 of 7", "daily 2026-11-20". */
export function keepReason(reason: KeepReason): string {
  switch (reason.kind) {
    case "last":
      return `last ${reason.place} of ${reason.of}`;
    case "hourly":
    case "daily":
    case "weekly":
    case "monthly":
    case "yearly":
      return `${reason.kind} ${reason.period}`;
    case "within":
      return `within ${formatSpan(reason.ms)}`;
    case "full":
      return `${reason.chain ? "chain of " : ""}newest full ${reason.place} of ${reason.of}`;
    case "marked":
      return "marked";
    case "locked":
      return reason.until === null ? "locked by a legal hold" : `locked until ${reason.until.toISOString()}`;
    case "future":
      return "begun in the future";
    case "newest":
      return `newest ${reason.complete ? "complete one " : ""}of its set`;
    case "needed": {
      const { by, messages, others } = reason;
      const more = others === 0 ? "" : `, as ${others === 1 ? "does 1 other" : `do ${others} others`}`;
      return `${ownLabel(by)} keeps ${formatCounted(messages, "message")} in it${more}`;
    }
  }
}
