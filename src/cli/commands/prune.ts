import { prune as pruneTarget, type PruneResult } from "../../usecases/prune.ts";
import { DONE, exitStatusOf } from "../exit-status.ts";
import { pruneMetrics } from "../metrics.ts";
import { openProgress } from "../open-progress.ts";
import { showPrune } from "../prune-progress.ts";
import { pruneJson, pruneLines } from "../render-prune.ts";
import { pruneRequest } from "../requests.ts";
import type { RunCommand, Session } from "../session.ts";
import { wirePrune } from "../wiring/repository.ts";

/** Each target by itself, in order: what is at one does not depend on what is at another. */
export const prune: RunCommand = async (session) => {
  const { settings } = session;
  const results: PruneResult[] = [];
  let failure: unknown = null;
  for (const target of settings.target) {
    try {
      const result = await pruneOne(session, target);
      results.push(result);
      failure = result.failure;
    } catch (error) {
      failure = error;
    }
    if (failure !== null) break;
  }
  const status = failure === null ? DONE : exitStatusOf(failure);
  session.measured(pruneMetrics(results));
  if (results.length > 0) await print(session, results, status);
  // What was removed is on standard output; that it broke off belongs on standard error.
  if (failure !== null) throw failure;
  return status;
};

async function pruneOne(session: Session, target: string): Promise<PruneResult> {
  const { settings, output, signal } = session;
  using progress = await openProgress(output, { unit: "bytes", parallel: 1 }, signal);
  const deps = await wirePrune(target, showPrune(progress));
  return await pruneTarget(deps, pruneRequest(settings), signal);
}

async function print(session: Session, results: readonly PruneResult[], status: number): Promise<void> {
  const { output, settings } = session;
  const { json, quiet } = output.options;
  if (json) await output.printJson(pruneJson(results, status));
  else if (!quiet || !settings.confirm) {
    await output.printLines(results.flatMap((result) => pruneLines(result, new Date(), output.paint)));
  }
}
