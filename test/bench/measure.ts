import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { TempDirectory } from "../lab/temp.ts";

/** One child process from its start to its end, threads and all, as the kernel accounts for it (getrusage). */
export interface Measured {
  readonly wallSeconds: number;
  /** User and system. */
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  readonly stdout: string;
}

const TIME = "/usr/bin/time";

/** Throws when GNU time is not there, which alone tells a child's peak of memory exactly. */
export function checkTime(): void {
  if (!existsSync(TIME)) throw new Error(`${TIME} is missing (Debian: apt-get install time)`);
}

/** Runs `node <args>`; rejects with its standard error when it fails. */
export async function measureNode(
  args: readonly string[],
  temp: TempDirectory,
  env: Readonly<Record<string, string>> = {},
): Promise<Measured> {
  const file = temp.join("time");
  const began = performance.now();
  const child = spawn(TIME, ["-f", "%U %S %M", "-o", file, process.execPath, ...args], {
    env: { PATH: process.env["PATH"], HOME: temp.path, TMPDIR: temp.path, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  await once(child, "close");
  const wallSeconds = (performance.now() - began) / 1000;
  if (child.exitCode !== 0) throw new Error(`${args.join(" ")} ended with ${child.exitCode}:\n${stderr}`);
  const [user = 0, system = 0, kilobytes = 0] = (await readFile(file, "utf8"))
    .trim()
    .split(/\s+/)
    .map(Number);
  return { wallSeconds, cpuSeconds: user + system, peakRssBytes: kilobytes * 1024, stdout };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
