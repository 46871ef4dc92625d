import { rekey as rekeyBackups } from "../../usecases/rekey.ts";
import type { RekeyResult } from "../../usecases/rekey-types.ts";
import { leaseJson, leaseLine } from "../lease-events.ts";
import { openProgress } from "../open-progress.ts";
import { rekeyComplaints, rekeyJson, rekeyLines } from "../render-rekey.ts";
import { rekeyRequest } from "../requests.ts";
import { rekeyStatus } from "../result-status.ts";
import type { RunCommand, Session } from "../session.ts";
import { wireRekey } from "../wiring/rekey.ts";

export const rekey: RunCommand = async (session) => {
  const { output } = session;
  const { json, quiet } = output.options;
  const result = await rekeyAll(session);
  const status = rekeyStatus(result);
  if (json) await output.printJson(rekeyJson(result, status));
  else if (quiet && !result.dryRun) output.complain(rekeyComplaints(result, output.paintNote));
  else await output.printLines(rekeyLines(result, output.paint));
  // What was done is on standard output; that it broke off belongs on standard error.
  const failures = result.targets.flatMap(({ failure }) => failure ?? []);
  const [first] = failures;
  if (first === undefined) return status;
  const failure = failures.find(({ code }) => code === "INTERRUPTED") ?? first;
  for (const each of failures) if (each !== failure) output.warn(each.message);
  throw failure;
};

async function rekeyAll(session: Session): Promise<RekeyResult> {
  const { output, signal } = session;
  using progress = await openProgress(output, { unit: "bytes", parallel: 1 }, signal);
  const deps = await wireRekey(session, (event) => {
    progress.event(leaseJson(event));
    progress.line(leaseLine(event));
  });
  return await rekeyBackups(deps, rekeyRequest(session), signal);
}
