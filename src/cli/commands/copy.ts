import { copy as copyBackups } from "../../usecases/copy.ts";
import type { CopyResult } from "../../usecases/copy-types.ts";
import { copyMetrics } from "../metrics.ts";
import { showCopy } from "../copy-progress.ts";
import { openProgress } from "../open-progress.ts";
import { copyComplaints, copyJson, copyLines } from "../render-copy.ts";
import { copyRequest } from "../requests.ts";
import { copyStatus } from "../result-status.ts";
import type { RunCommand, Session } from "../session.ts";
import { wireCopy } from "../wiring/repository.ts";

export const copy: RunCommand = async (session) => {
  const { output } = session;
  const { json, quiet } = output.options;
  const result = await copyAll(session);
  const status = copyStatus(result);
  session.measured(copyMetrics(result));
  if (json) await output.printJson(copyJson(result, status));
  else if (quiet && !result.dryRun) output.complain(copyComplaints(result, output.paintNote));
  else await output.printLines(copyLines(result, output.paint));
  // What was copied is on standard output; that it broke off belongs on standard error.
  const failures = result.destinations.flatMap(({ failure }) => failure ?? []);
  const [first] = failures;
  if (first === undefined) return status;
  const failure = failures.find(({ code }) => code === "INTERRUPTED") ?? first;
  for (const each of failures) if (each !== failure) output.warn(each.message);
  throw failure;
};

async function copyAll(session: Session): Promise<CopyResult> {
  const { output, signal } = session;
  using progress = await openProgress(output, { unit: "bytes", parallel: 1 }, signal);
  const deps = await wireCopy(session, showCopy(progress));
  return await copyBackups(deps, copyRequest(session), signal);
}
