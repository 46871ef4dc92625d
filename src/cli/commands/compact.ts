import { compact as compactBackup } from "../../usecases/compact.ts";
import type { CompactResult } from "../../usecases/compact-types.ts";
import { showCompact } from "../compact-progress.ts";
import { DONE } from "../exit-status.ts";
import { openProgress } from "../open-progress.ts";
import { compactJson, compactLines } from "../render-compact.ts";
import { compactRequest } from "../requests.ts";
import type { RunCommand, Session } from "../session.ts";
import { wireCompact } from "../wiring/writing.ts";

export const compact: RunCommand = async (session) => {
  const { settings, output } = session;
  const { json, quiet } = output.options;
  const result = await run(session);
  if (json) await output.printJson(compactJson(result, settings.target, DONE));
  else if (!quiet || settings.dryRun) {
    await output.printLines(compactLines(result, settings.target, output.paint));
  }
  return DONE;
};

async function run(session: Session): Promise<CompactResult> {
  const { output, signal } = session;
  using progress = await openProgress(output, { unit: "messages", parallel: 1 }, signal);
  await using wired = await wireCompact(session, showCompact(progress, output));
  return await compactBackup(wired.deps, compactRequest(session), signal);
}
