import type { RestoreResult } from "../../usecases/restore-types.ts";
import { restore as restoreBackup } from "../../usecases/restore.ts";
import { PARTIAL } from "../exit-status.ts";
import { restoreMetrics } from "../metrics.ts";
import { Fallbacks } from "../fallbacks.ts";
import { openProgress } from "../open-progress.ts";
import { planLines, restoreComplaints, restoreJson, restoreLines } from "../render-restore.ts";
import { restoreCommand } from "../requests.ts";
import { showRestore } from "../restore-progress.ts";
import { restoreStatus } from "../result-status.ts";
import type { RunCommand, Session } from "../session.ts";
import { wireFilter } from "../wiring/repository.ts";
import { wireRestore } from "../wiring/restore.ts";

export const restore: RunCommand = async (session) => {
  const { output, settings } = session;
  const fallbacks = new Fallbacks();
  const result = await putBack(session, fallbacks).finally(() => fallbacks.warn(output));
  const status = restoreStatus(result);
  session.measured(restoreMetrics(result));
  if (output.options.json) await output.printJson(restoreJson(result, status, fallbacks));
  else if (settings.dryRun) await output.printLines(planLines(result, output.paint));
  else if (output.options.quiet) output.complain(restoreComplaints(result, output.paintNote));
  else await output.printLines(restoreLines(result, output.paint));
  // What came of it is on standard output; that it failed belongs on standard error.
  if (result.failure !== null && status !== PARTIAL) throw result.failure;
  return status;
};

async function putBack(session: Session, fallbacks: Fallbacks): Promise<RestoreResult> {
  const { settings, output, signal } = session;
  const filter = await wireFilter(session);
  using progress = await openProgress(output, { unit: "messages", parallel: settings.parallel }, signal);
  await using wired = await wireRestore(session, showRestore(progress, output), fallbacks.add);
  return await restoreBackup(wired.deps, restoreCommand(settings, filter), signal);
}
