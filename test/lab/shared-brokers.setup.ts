import { execFileSync } from "node:child_process";
import path from "node:path";
import type { TestProject } from "vitest/node";
import { BROKER_VERSIONS, startBroker, type Broker } from "./brokers.ts";
import { outsideBroker } from "./outside-broker.ts";

const SWEEP = path.join(import.meta.dirname, "sweep.sh");

/**
 * Starts one broker of each version before the first test that may need them and removes them after the last, also when
 * tests fail or the run is interrupted. Every project with this set-up gets the same brokers.
 *
 * With MQBACKUP_TEST_URL (and MQBACKUP_TEST_MANAGEMENT_URL, default port 15672 beside it) nothing is started: the
 * shared brokers are that one. Tests make their own virtual hosts in it, so the user needs the administrator tag.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const shared = (globalThis.mqbackupLab ??= { users: 0, brokers: startShared() });
  shared.users++;
  project.provide("brokers", await shared.brokers);
  return async () => {
    if (--shared.users > 0) return;
    process.off("exit", sweepAtExit);
    sweepAtExit();
  };
}

declare global {
  /** Projects load this file one by one; what they share lies here. */
  var mqbackupLab: { users: number; brokers: Promise<readonly Broker[]> } | undefined;
}

async function startShared(): Promise<readonly Broker[]> {
  execFileSync(SWEEP, { stdio: "inherit" });
  process.once("exit", sweepAtExit);
  const outside = await outsideBroker();
  if (outside !== undefined) return [outside];
  const started = await Promise.all(BROKER_VERSIONS.map((version) => startBroker({ version })));
  return started.map(({ [Symbol.asyncDispose]: _dispose, ...address }) => address);
}

/** Removes everything this run has started, in workers too; works while the process exits. */
function sweepAtExit(): void {
  execFileSync(SWEEP, ["--of", String(process.pid)], { stdio: ["ignore", "inherit", "inherit"] });
}
