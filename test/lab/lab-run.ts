import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** Label on every container the lab starts. Containers without it are never touched. */
export const LAB_LABEL = "mqbackup-lab";

/** Id of the process the lab works for: the test run's main process, or this one outside a test run. */
export function labOwner(): number {
  return Number(process.env["MQBACKUP_LAB_OWNER"] ?? process.pid);
}

/**
 * Labels that tell whose a container is. The owner is known by its process id and start time, so that `sweep.sh` can
 * remove what a killed run has left behind and nothing else.
 */
export function ownerLabels(): Record<string, string> {
  return {
    [LAB_LABEL]: "1",
    [`${LAB_LABEL}.host`]: hostname(),
    [`${LAB_LABEL}.owner`]: String(labOwner()),
    [`${LAB_LABEL}.owner-started`]: startedAt(labOwner()),
  };
}

/** Start time in clock ticks since boot where the system tells it (Linux), else a word that matches everything. */
function startedAt(pid: number): string {
  try {
    const afterName = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "");
    return afterName.split(" ")[19] ?? "unknown";
  } catch {
    return "unknown";
  }
}
