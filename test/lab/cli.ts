import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import { filesBelow, tempDirectory, type TempDirectory } from "./temp.ts";
import { until } from "./until.ts";

const BIN = path.resolve(import.meta.dirname, "../../bin/mqbackup.js");

export interface CliOptions {
  /** The whole environment but for PATH, HOME and TMPDIR: nothing of the test run's own leaks in. */
  readonly env?: Readonly<Record<string, string>>;
  /** Given on standard input, which is closed after it; default: nothing. */
  readonly stdin?: string | Uint8Array;
  /** Working directory; default: an empty one. */
  readonly cwd?: string;
  /** Killed after this long, with `signal` SIGKILL in the result; default 90 s. */
  readonly timeoutMs?: number;
}

export interface CliResult {
  /** Exit status, or `null` when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What the process has left in its TMPDIR: nothing, when it cleans up. */
  readonly leftovers: readonly string[];
  /** Files it has left in its HOME. */
  readonly home: readonly string[];
}

export interface RunningCli extends AsyncDisposable {
  readonly pid: number;
  /** Settles when the process has ended, however it did. */
  readonly result: Promise<CliResult>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with what was printed so far when both streams together match; rejects when the process ends before. */
  output(pattern: RegExp): Promise<string>;
}

/** Runs the built program to its end: `await runCli(["list", "--json"], { env })`. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  await using running = await startCli(args, options);
  return await running.result;
}

/** Starts the built program, for tests that send signals. Disposal kills it if it still runs. */
export async function startCli(args: readonly string[], options: CliOptions = {}): Promise<RunningCli> {
  const home = await tempDirectory();
  for (const name of ["home", "tmp", "work"]) await mkdir(home.join(name));
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: options.cwd ?? home.join("work"),
    env: { PATH: process.env["PATH"], HOME: home.join("home"), TMPDIR: home.join("tmp"), ...options.env },
    timeout: options.timeoutMs ?? 90_000,
    killSignal: "SIGKILL",
  });
  const printed = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (printed.stderr += text));
  child.stdin.on("error", () => undefined); // it may end without reading
  child.stdin.end(options.stdin ?? "");
  const result = resultOf(child, printed, home);
  return {
    pid: child.pid ?? -1,
    result,
    kill: (signal) => void child.kill(signal),
    output: async (pattern) => {
      const text = (): string => printed.stdout + printed.stderr;
      await until(`${String(pattern)} in the output`, () => pattern.test(text()) || ended(child), {
        timeoutMs: 90_000,
      });
      if (!pattern.test(text())) throw new Error(`ended without printing ${String(pattern)}:\n${text()}`);
      return text();
    },
    [Symbol.asyncDispose]: async () => {
      if (!ended(child)) child.kill("SIGKILL");
      await result;
    },
  };
}

async function resultOf(
  child: ChildProcess,
  printed: { readonly stdout: string; readonly stderr: string },
  home: TempDirectory,
): Promise<CliResult> {
  await once(child, "close");
  const leftovers = await readdir(home.join("tmp"));
  const left = await filesBelow(home.join("home"));
  await home[Symbol.asyncDispose]();
  return { status: child.exitCode, signal: child.signalCode, ...printed, leftovers, home: left };
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
