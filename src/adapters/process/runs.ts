import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { RunIdentity } from "../../domain/lease.ts";
import type { Runs } from "../../ports/runs.ts";

const BOOT = textOf("/proc/sys/kernel/random/boot_id");
const NAMESPACE = linkOf("/proc/self/ns/pid");

const CURRENT: RunIdentity = {
  host: hostname(),
  machine: createHash("sha256").update(`${hostname()}\n${BOOT}\n${NAMESPACE}`).digest("hex").slice(0, 8),
  pid: process.pid,
  run: randomBytes(4).toString("hex"),
};

export const RUNS: Runs = {
  current: CURRENT,
  // Where only the name tells machines apart, as on macOS, two may have the same.
  isGone: (run) => BOOT !== "" && NAMESPACE !== "" && seemsGone(run),
  newLeaseId: () => randomBytes(8).toString("hex"),
};

/** Whether no such process is here any more, on a machine that goes by the same name. */
export function seemsGone({ machine, pid, run }: Omit<RunIdentity, "host">): boolean {
  return machine === CURRENT.machine && (pid === CURRENT.pid ? run !== CURRENT.run : !isAlive(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return "";
  }
}
