import { backup } from "../usecases/backup.ts";
import type { BackupResult, IncrementalRequest } from "../usecases/backup-types.ts";
import { showBackup } from "./backup-progress.ts";
import { PARTIAL } from "./exit-status.ts";
import { backupMetrics, targetMetrics } from "./metrics.ts";
import { openProgress } from "./open-progress.ts";
import { backupComplaints, backupJson, backupLines, warningLines } from "./render-backup.ts";
import { verdictJson, verdictRemarks, verdictTable } from "./render-check.ts";
import { backupRequest } from "./requests.ts";
import { backupStatus } from "./result-status.ts";
import type { Session } from "./session.ts";
import { wireBackup } from "./wiring/writing.ts";

/** Takes a backup and prints what came of it; the exit status. `incremental` null: a full. */
export async function takeBackup(session: Session, incremental: IncrementalRequest | null): Promise<number> {
  const result = await take(session, incremental);
  const status = backupStatus(result, session.settings.dryRun);
  session.measured([...backupMetrics(result.manifests), ...targetMetrics(result.targets)]);
  await (session.settings.dryRun ? printPlan : printBackup)(session, result, status);
  // What came of it is on standard output; that it broke off belongs on standard error.
  if (result.failure !== null && status !== PARTIAL) throw result.failure;
  return status;
}

async function take(session: Session, incremental: IncrementalRequest | null): Promise<BackupResult> {
  const { settings, output, signal } = session;
  using progress = await openProgress(output, { unit: "messages", parallel: settings.parallel }, signal);
  await using wired = await wireBackup(session, showBackup(progress, output));
  return await backup(wired.deps, backupRequest(session, wired.access, incremental), signal);
}

async function printBackup({ output }: Session, result: BackupResult, status: number): Promise<void> {
  const { json, quiet } = output.options;
  if (json) await output.printJson(backupJson(result, status));
  else if (quiet) output.complain(backupComplaints(result, output.paintNote));
  else await output.printLines(backupLines(result, output.paint));
}

async function printPlan(
  { output }: Session,
  { base, verdicts, warnings }: BackupResult,
  status: number,
): Promise<void> {
  const { paint } = output;
  if (output.options.json) {
    await output.printJson({ status, dryRun: true, base, queues: verdicts.map(verdictJson), warnings });
  } else {
    const remarks = [...verdictRemarks(verdicts, paint), ...warningLines(warnings, paint)];
    const builds = base === null ? [] : [`builds on backup ${base}`, ""];
    await output.printLines([...builds, ...verdictTable(verdicts, paint), ...remarks]);
  }
}
