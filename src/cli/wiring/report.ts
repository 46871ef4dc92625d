import type { ReportDeps, RunReport } from "../run-report.ts";
import type { Session } from "../session.ts";
import type { CommandName } from "../setting-entry.ts";

/** Around every command: what a run tells others. */
export async function wireReport(
  command: CommandName,
  { settings, output, signal }: Session,
  complain: (error: unknown) => void,
): Promise<RunReport> {
  const [{ RunReport: Report }, { sendPing }, { readWhole, writeWhole }] = await Promise.all([
    import("../run-report.ts"),
    import("../../adapters/monitoring/ping.ts"),
    import("../../adapters/monitoring/text-file.ts"),
  ]);
  const deps: ReportDeps = {
    now: () => new Date(),
    ping: sendPing,
    read: readWhole,
    write: writeWhole,
    warn: (message) => output.warn(message),
    complain,
  };
  return new Report(deps, command, settings, signal);
}
