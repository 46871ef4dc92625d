import { BackupError, hasCode, type ErrorCode } from "../domain/errors.ts";
import { describeQueue } from "../domain/queue.ts";
import type { RestoreTarget } from "../domain/restore-targets.ts";
import type { DrilledQueue, DrillOutcome } from "./drill-types.ts";
import type { ReadBack, RestoredQueue } from "./restore-types.ts";

/** How long each half of a drill took. */
export type DrillTimes = Pick<DrilledQueue, "restoreMs" | "readBackMs">;

/** What the restore of a queue into its scratch, and the reading back, say of the backup. */
export function drilledQueue(
  target: Pick<RestoreTarget, "source">,
  restored: Pick<RestoredQueue, "failure" | "readBack" | "notes">,
  compared: number,
  times: DrillTimes,
): DrilledQueue {
  const { source } = target;
  const { readBack, notes } = restored;
  const failure = failureOf(target, restored);
  const difference =
    readBack?.kind === "differs" ? { sequence: readBack.sequence, part: readBack.part } : null;
  return {
    queue: { vhost: source.vhost, name: source.name },
    type: source.type,
    outcome: failure === null ? "proven" : outcomeOf(failure),
    partial: source.outcome === "partial",
    messages: source.messages,
    bodyBytes: source.bodyBytes,
    compared: readBack?.kind === "same" ? readBack.messages : (difference?.sequence ?? compared),
    difference,
    ...times,
    failure,
    notes,
  };
}

/** A queue this broker would not even declare. */
export function undrilledQueue(target: Pick<RestoreTarget, "source">, failure: BackupError): DrilledQueue {
  const times = { restoreMs: null, readBackMs: null };
  return drilledQueue(target, { failure, readBack: null, notes: [] }, 0, times);
}

/** What speaks against the backup comes first; then why nothing at all could be drilled, if it is not the queues' own doing. */
export function drillFailure(queues: readonly DrilledQueue[]): BackupError | null {
  const against = queues.find(({ outcome }) => outcome === "differs" || outcome === "damaged");
  if (against !== undefined) return against.failure;
  if (queues.some(({ outcome }) => outcome === "proven")) return null;
  return (
    queues.find(({ failure }) => failure !== null && !hasCode(failure, ...OF_ONE_QUEUE))?.failure ?? null
  );
}

export function interruption(queues: readonly DrilledQueue[]): BackupError {
  const proven = queues.filter(({ outcome }) => outcome === "proven").length;
  return new BackupError(
    "INTERRUPTED",
    `interrupted after ${proven} of ${queues.length} queues were proven`,
    {
      hint: "Run the same command again: a drill begins anew each time.",
    },
  );
}

const DAMAGE: readonly ErrorCode[] = ["ARCHIVE_DAMAGED", "OBJECT_MISSING", "MANIFEST_DAMAGED"];

const OF_ONE_QUEUE: readonly ErrorCode[] = [
  "RESTORE_REFUSED",
  "PUBLISH_REFUSED",
  "PUBLISH_UNROUTABLE",
  "QUEUE_UNREADABLE",
];

function outcomeOf(failure: BackupError): DrillOutcome {
  if (failure.code === "INTERRUPTED") return "interrupted";
  if (failure.code === "DRILL_DIFFERS") return "differs";
  return hasCode(failure, ...DAMAGE) ? "damaged" : "not-drilled";
}

/** null: every message came back. */
function failureOf(
  { source }: Pick<RestoreTarget, "source">,
  { failure, readBack }: Pick<RestoredQueue, "failure" | "readBack">,
): BackupError | null {
  const where = describeQueue(source);
  if (readBack?.kind === "differs")
    return new BackupError("DRILL_DIFFERS", describeDifference(where, readBack));
  if (failure !== null) return failure;
  switch (readBack?.kind) {
    case "same":
      return null;
    case "unread":
      return new BackupError("QUEUE_UNREADABLE", `${where} could not be read back: ${readBack.why}`, {
        hint: "Look at the log of the broker that was drilled on, and drill again.",
      });
    case undefined:
      return new BackupError("INTERRUPTED", `${where} was not read back`);
  }
}

function describeDifference(
  where: string,
  { sequence, part }: Extract<ReadBack, { kind: "differs" }>,
): string {
  switch (part) {
    case "missing":
      return `${where} came back without message ${sequence + 1} and what is behind it`;
    case "extra":
      return `${where} came back with more than the ${sequence} messages of the backup`;
    default:
      return `message ${sequence + 1} of ${where} came back with another ${part}`;
  }
}
