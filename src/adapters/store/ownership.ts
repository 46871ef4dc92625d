import { lstat, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { RUNS, seemsGone } from "../process/runs.ts";
import { errnoOf, isAbsence } from "./file-errors.ts";

/** Nothing lives so long untouched: whoever wrote it on another machine, or before the last boot, is gone. */
const MAX_IDLE_MS = 24 * 60 * 60 * 1000;

/** Names of temporary files and folders say whose they are, so that a later run can remove what a killed one left. */
export function ownPrefix(): string {
  const { machine, pid, run } = RUNS.current;
  return `${machine}-${pid}-${run}-`;
}

/** Removes what dead processes left in a directory of owned things. Other names stay. Absent directory: nothing to do. */
export async function sweepDead(directory: string): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of await namesIn(directory)) {
    const item = path.join(directory, name);
    if (!(await isOfDead(name, async () => idleMs(item)))) continue;
    await rm(item, { recursive: true, force: true });
    removed.push(item);
  }
  return removed;
}

/** Whether whoever gave this name is gone. `idle`: milliseconds since it was last written, by the clock of where it is. */
export async function isOfDead(name: string, idle: () => Promise<number>): Promise<boolean> {
  const [, machine, pid, run] = /^([0-9a-f]{8})-(\d+)-([0-9a-f]{8})-/.exec(name) ?? [];
  if (machine === undefined || pid === undefined || run === undefined) return false;
  if (machine !== RUNS.current.machine) return (await idle()) > MAX_IDLE_MS;
  return seemsGone({ machine, pid: Number(pid), run });
}

/** Since the item, or anything directly in it, was last written. */
async function idleMs(item: string): Promise<number> {
  let latest = await modifiedMs(item);
  for (const name of await namesIn(item)) latest = Math.max(latest, await modifiedMs(path.join(item, name)));
  return Date.now() - latest;
}

/** What vanishes meanwhile is being used by somebody. */
async function modifiedMs(item: string): Promise<number> {
  try {
    return (await lstat(item)).mtimeMs;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return Date.now();
    throw error;
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
}
