import { BackupError, type ErrorCode } from "../domain/errors.ts";
import type { QueueEntry } from "../domain/manifest.ts";
import type { ReadingVerdict } from "../domain/reading-recipe.ts";
import { describeQueue } from "../domain/queue.ts";

/** A code found first in this list names the failure of them all. */
const GRAVEST: readonly ErrorCode[] = [
  "BROKER_UNREACHABLE",
  "LOGIN_REFUSED",
  "VHOST_MISSING",
  "BROKER_LOST",
  "BROKER_ALARM",
  "QUEUE_LOCKED",
  "QUEUE_BUSY",
  "QUEUE_REFUSED",
  "QUEUE_MISSING",
  "QUEUE_UNREADABLE",
];

/** Before anything is touched: every queue wanted is one that must not be read. */
export function refuseUnsafe(verdicts: readonly ReadingVerdict[]): void {
  const [first] = verdicts;
  if (!first?.danger || verdicts.some((verdict) => verdict.recipe !== null)) return;
  const { message, hint } = first.danger;
  throw new BackupError(
    "QUEUE_UNSAFE",
    `${counted(verdicts.length)}: ${describeQueue(first.queue)}: ${message}`,
    {
      hint,
    },
  );
}

/** After all were tried and none was read: a backup of nothing is not committed. */
export function refuseEmpty(entries: readonly QueueEntry[]): void {
  if (entries.some((entry) => entry.outcome !== "skipped")) return;
  const code =
    GRAVEST.find((grave) => entries.some((entry) => entry.skipped?.code === grave)) ?? "QUEUE_UNSAFE";
  const first = entries.find((entry) => entry.skipped?.code === code) ?? entries[0];
  if (!first?.skipped) return;
  const named = first.skipped.message.includes(first.name) ? "" : `${describeQueue(first)}: `;
  throw new BackupError(code, `${counted(entries.length)}: ${named}${first.skipped.message}`, {
    hint: first.skipped.hint ?? "mqbackup check says what can be read, and how.",
  });
}

function counted(queues: number): string {
  return queues === 1
    ? "nothing was backed up"
    : `nothing was backed up, none of ${queues} queues can be read`;
}
