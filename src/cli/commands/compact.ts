import { compact as compactBackup } from "../../usecases/compact.ts";
import type { CompactResult } from "../../usecases/compact-types.ts";
import { showCompact } from "../compact-progress.ts";
import { targetMetrics } from "../metrics.ts";
import { openProgress } from "../open-progress.ts";
import { compactJson, compactLines } from "../render-compact.ts";
import { targetComplaints } from "../render-targets.ts";
import { compactRequest } from "../requests.ts";
import { compactStatus } from "../result-status.ts";
import type { RunCommand, Session } from "../session.ts";
import { wireCompact } from "../wiring/writing.ts";

export const compact: RunCommand = async (session) => {
  const { settings, output } = session;
  const { json, quiet } = output.options;
  const result = await run(session);
  const status = compactStatus(result);
  session.measured(targetMetrics(result.targets));
  if (json) await output.printJson(compactJson(result, status));
  else if (quiet && !settings.dryRun) output.complain(targetComplaints(result.targets, output.paintNote));
  else await output.printLines(compactLines(result, output.paint));
  const interruption = result.targets.find(({ error }) => error?.code === "INTERRUPTED");
  if (interruption?.error) throw interruption.error;
  return status;
};

async function run(session: Session): Promise<CompactResult> {
  const { output, signal } = session;
  using progress = await openProgress(output, { unit: "messages", parallel: 1 }, signal);
  await using wired = await wireCompact(session, showCompact(progress, output));
  return await compactBackup(wired.deps, compactRequest(session), signal);
}
