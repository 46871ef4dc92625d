import type { DrillResult } from "../../usecases/drill-types.ts";
import { drill as drillBackup } from "../../usecases/drill.ts";
import { showDrill } from "../drill-progress.ts";
import { drillMetrics } from "../metrics.ts";
import { Fallbacks } from "../fallbacks.ts";
import { openProgress } from "../open-progress.ts";
import { drillComplaints, drillJson, drillLines } from "../render-drill.ts";
import { drillRequest } from "../requests.ts";
import { drillStatus } from "../result-status.ts";
import type { RunCommand, Session } from "../session.ts";
import { wireDrill } from "../wiring/restore.ts";

export const drill: RunCommand = async (session) => {
  const { output } = session;
  const fallbacks = new Fallbacks();
  const result = await prove(session, fallbacks).finally(() => fallbacks.warn(output));
  const status = drillStatus(result);
  session.measured(drillMetrics(result));
  if (output.options.json) await output.printJson(drillJson(result, status, fallbacks));
  else if (output.options.quiet) output.complain(drillComplaints(result, output.paintNote));
  else await output.printLines(drillLines(result, output.paint));
  // What came of it is on standard output; that it failed belongs on standard error.
  if (result.failure !== null) throw result.failure;
  return status;
};

async function prove(session: Session, fallbacks: Fallbacks): Promise<DrillResult> {
  const { settings, output, signal } = session;
  using progress = await openProgress(output, { unit: "messages", parallel: settings.parallel }, signal);
  await using wired = await wireDrill(session, showDrill(progress, output), fallbacks.add);
  return await drillBackup(wired.deps, drillRequest(settings), signal);
}
