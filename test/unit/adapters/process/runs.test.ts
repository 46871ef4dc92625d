import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { expect, test } from "vitest";
import { RUNS, seemsGone } from "../../../../src/adapters/process/runs.ts";

const { current } = RUNS;

async function endedPid(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  return child.pid ?? 0;
}

test("this process is this one, and alive", () => {
  expect(current).toMatchObject({ host: hostname(), pid: process.pid });
  expect(RUNS.isGone(current)).toBe(false);
});

test.skipIf(process.platform !== "linux")("a process that ended is gone; one at work is not", async () => {
  expect(RUNS.isGone({ ...current, pid: await endedPid(), run: "00000000" })).toBe(true);
  expect(RUNS.isGone({ ...current, pid: process.ppid, run: "00000000" })).toBe(false);
  // A process that had our number before us.
  expect(RUNS.isGone({ ...current, run: "00000000" })).toBe(true);
});

test("of another machine nothing is known", async () => {
  const elsewhere = { ...current, machine: "00000000", pid: await endedPid(), run: "00000000" };
  expect(RUNS.isGone(elsewhere)).toBe(false);
  expect(seemsGone(elsewhere)).toBe(false);
});

test("no two leases have one id", () => {
  const ids = Array.from({ length: 1000 }, () => RUNS.newLeaseId());
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
});
