import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { lstat, readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { errnoOf, isAbsence } from "./file-errors.ts";

/**
 * Names of temporary files and folders say whose they are: `<machine>-<pid>-<run>-`, so that a later run can remove what a killed
 * one left. `machine` stands for host, boot and process namespace: only there does the pid mean anything.
 */
const MACHINE = createHash("sha256")
  .update(`${hostname()}\n${textOf("/proc/sys/kernel/random/boot_id")}\n${linkOf("/proc/self/ns/pid")}`)
  .digest("hex")
  .slice(0, 8);

const RUN = randomBytes(4).toString("hex");

/** Nothing lives so long untouched: whoever wrote it on another machine, or before the last boot, is gone. */
const MAX_IDLE_MS = 24 * 60 * 60 * 1000;

export function ownPrefix(): string {
  return `${MACHINE}-${process.pid}-${RUN}-`;
}

/** Removes what dead processes left in a directory of owned things. Other names stay. Absent directory: nothing to do. */
export async function sweepDead(directory: string): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of await namesIn(directory)) {
    const item = path.join(directory, name);
    if (!(await isDead(item, name))) continue;
    await rm(item, { recursive: true, force: true });
    removed.push(item);
  }
  return removed;
}

async function isDead(item: string, name: string): Promise<boolean> {
  const [, machine, pid, run] = /^([0-9a-f]{8})-(\d+)-([0-9a-f]{8})-/.exec(name) ?? [];
  if (machine === undefined || pid === undefined) return false;
  if (machine !== MACHINE) return (await idleMs(item)) > MAX_IDLE_MS;
  return Number(pid) === process.pid ? run !== RUN : !isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== "ESRCH";
  }
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
