import { BackupError } from "../domain/errors.ts";
import type { RestorePlan } from "../domain/restore-plan.ts";
import type { QueueWriter } from "../ports/queue-writer.ts";
import { openCatalog } from "../repository/catalog.ts";
import { RestoreContent } from "./restore-content.ts";
import { executeRestore } from "./restore-execution.ts";
import { journalIdentity, prepareRestore, writerOf, type PreparedRestore } from "./restore-preparation.ts";
import type { RestoreCommand, RestoreDeps, RestoreResult } from "./restore-types.ts";

/**
 * Puts the messages of a backup into queues, in order, every one confirmed by the broker.
 *
 * Nothing is touched before all is known: the manifests, the sizes of the volumes, what is at each destination. Any refusal of the
 * plan forbids the whole. A segment is checked wholly before its first message is sent. One queue's failure does not stop the others;
 * the result names it and how far it came.
 *
 * Resuming. While messages are sent, a journal on this machine keeps what is confirmed and a limit that nothing was sent beyond, both
 * durable, the limit before the sending. After a break the queue itself is asked how many messages it holds: it had `initial`, so the
 * rest came from us. That is believed when it lies between the two, no consumer is attached, nothing sent can have expired or got lost
 * in a restart, the queue is no stream and the route led nowhere else. Where another history could give the same number, the queue
 * is read back and compared with the backup first. Where neither can tell, the restore is refused, unless duplicates are accepted: it
 * then goes on from the last message known to be confirmed, and says how many may be there twice. Messages that others publish to the
 * queue meanwhile are not noticed unless they push the number beyond the limit, or `readBack` is asked for.
 *
 * Throws what `openCatalog`, `Catalog.resolve` and connecting throw; NO_QUEUE_SELECTED, ARCHIVE_DAMAGED, RESTORE_REFUSED; INTERRUPTED
 * before the first message. Interrupted later it resolves, with `failure` INTERRUPTED, once what was in flight is confirmed or two
 * seconds have passed.
 */
export async function restore(
  deps: RestoreDeps,
  command: RestoreCommand,
  signal: AbortSignal,
): Promise<RestoreResult> {
  try {
    return await restoreBackup(deps, command, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new BackupError("INTERRUPTED", "interrupted before any message was sent", {
      hint: "Nothing has changed but what was declared: run the same command again.",
      cause: error,
    });
  }
}

async function restoreBackup(
  deps: RestoreDeps,
  command: RestoreCommand,
  signal: AbortSignal,
): Promise<RestoreResult> {
  const startedAt = deps.now();
  const catalog = await openCatalog(deps.store, { signal });
  const manifest = await catalog.manifest(await catalog.resolve(command.backup, { signal }), { signal });
  const content = new RestoreContent({ store: deps.store, codec: deps.codec }, catalog, manifest, { signal });
  const writers = new Map<string, QueueWriter>();
  try {
    const prepared = await prepareRestore({ deps, command, content, writers, signal });
    deps.report({ kind: "planned", backup: manifest.id, plan: prepared.plan });
    const whole = { backup: manifest.id, dryRun: command.dryRun, plan: prepared.plan, startedAt };
    const broker = [...writers.values()].at(0)?.url ?? "";
    if (command.dryRun) {
      return {
        ...whole,
        broker,
        exchanges: [],
        bindings: 0,
        queues: [],
        failure: null,
        finishedAt: deps.now(),
      };
    }
    refusePlan(prepared.plan);
    const executed = await executeRestore({ deps, command, prepared, signal });
    if (executed.failure === null) await forgetJournals(prepared);
    return { ...whole, broker, ...executed, finishedAt: deps.now() };
  } finally {
    for (const writer of writers.values()) await writer[Symbol.asyncDispose]();
  }
}

/** How many refusals one message names. */
const NAMED = 5;

/** Throws RESTORE_REFUSED when there are any. */
export function refusePlan({ refusals }: Pick<RestorePlan, "refusals">): void {
  const [first] = refusals;
  if (first === undefined) return;
  const named = refusals.slice(0, NAMED).map(({ message }) => message);
  const more = refusals.length > NAMED ? [`and ${refusals.length - NAMED} more`] : [];
  throw new BackupError(
    "RESTORE_REFUSED",
    [...named, ...more].join("; "),
    first.hint === null ? {} : { hint: first.hint },
  );
}

/** All is done: there is nothing left to resume. */
async function forgetJournals({ plan, writers, content, journals }: PreparedRestore): Promise<void> {
  for (const queue of plan.queues) {
    await journals.remove(journalIdentity(content.manifest.id, writerOf(writers, queue), queue));
  }
}
