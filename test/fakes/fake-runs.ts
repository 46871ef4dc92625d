import { randomBytes } from "node:crypto";
import type { Runs } from "../../src/ports/runs.ts";

/** A process of its own. By default it knows of every other one that it has ended; `isGone` may know otherwise. */
export function newRun(more: Partial<Pick<Runs, "isGone">> & { readonly host?: string } = {}): Runs {
  const { host = "here", isGone } = more;
  const run = randomBytes(4).toString("hex");
  return {
    current: { host, machine: "00000000", pid: 4711, run },
    isGone: isGone ?? ((other) => other.run !== run),
    newLeaseId: () => randomBytes(8).toString("hex"),
  };
}
