import { setMaxListeners } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";

import { BackupError } from "../domain/errors.ts";
import { exitStatusOf, INTERRUPTED } from "./exit-status.ts";
import type { OutputOptions } from "./output.ts";
import { parseCommandLine, type Invocation } from "./program.ts";
import { renderError } from "./render-error.ts";
import type { RunReport } from "./run-report.ts";
import type { RunCommand, Session } from "./session.ts";
import type { CommandName } from "./setting-entry.ts";
import { painter } from "./terminal-text.ts";

/** Loaded when called: `--help` needs none of it. */
const COMMANDS: Readonly<Record<CommandName, () => Promise<RunCommand>>> = {
  full: async () => (await import("./commands/full.ts")).full,
  incremental: async () => (await import("./commands/incremental.ts")).incremental,
  restore: async () => (await import("./commands/restore.ts")).restore,
  drill: async () => (await import("./commands/drill.ts")).drill,
  list: async () => (await import("./commands/list.ts")).list,
  show: async () => (await import("./commands/show.ts")).show,
  diff: async () => (await import("./commands/diff.ts")).diff,
  cat: async () => (await import("./commands/cat.ts")).cat,
  verify: async () => (await import("./commands/verify.ts")).verify,
  copy: async () => (await import("./commands/copy.ts")).copy,
  rekey: async () => (await import("./commands/rekey.ts")).rekey,
  prune: async () => (await import("./commands/prune.ts")).prune,
  mark: async () => (await import("./commands/mark.ts")).mark,
  unmark: async () => (await import("./commands/mark.ts")).unmark,
  compact: async () => (await import("./commands/compact.ts")).compact,
  check: async () => (await import("./commands/check.ts")).check,
};

const stdoutState = { gone: false };
const interruption = new AbortController();
const secrets: string[] = [];
/** Until the settings are known, as the command line alone has it. */
let options: OutputOptions = optionsFromFlags();
/** null: the run has not begun. */
let report: RunReport | null = null;

// Many queues at once listen to one signal, each in several places: no leak.
setMaxListeners(1000);
watchOutput();
listenForSignals();
// An error nobody waited for: what is held goes back with the connections.
process.on("uncaughtException", (error) => void end(told(error)));
const status = await run().catch(told);
await flushed();
await end(status);

/** Tells others how it went, and ends the process. */
async function end(ending: number): Promise<never> {
  process.exit(await (report?.ended(ending) ?? ending));
}

/** Prints the error; its exit status. */
function told(caught: unknown): number {
  const ended = interruption.signal.aborted && !(caught instanceof BackupError);
  const error: unknown = ended ? interruption.signal.reason : caught;
  const paint = painter(process.stderr.isTTY && !options.noColor && (process.env["NO_COLOR"] ?? "") === "");
  process.stderr.write(renderError(error, { ...options, paint, secrets }));
  return exitStatusOf(error);
}

async function run(): Promise<number> {
  const invocation = parseCommandLine(process.argv.slice(2), {
    version: versionOf(),
    columns: process.stdout.columns ?? 100,
    print: (text) => process.stdout.write(text),
  });
  if (invocation === null) return 0;
  const session = await openSession(invocation);
  if (session.settings.metricsFile !== null || session.settings.pingUrl !== null) {
    const { wireReport } = await import("./wiring/report.ts");
    report = await wireReport(invocation.command, session, told);
  }
  const command = await COMMANDS[invocation.command]();
  return command(session);
}

async function openSession(invocation: Invocation): Promise<Session> {
  const { command, flags, argument, otherArgument, manyArguments } = invocation;
  const [{ resolveSettings }, { Output }] = await Promise.all([
    import("./settings.ts"),
    import("./output.ts"),
  ]);
  const keepSecret = (text: string): void => void secrets.push(text);
  const sources = { command, flags, env: process.env, cwd: process.cwd() };
  const resolved = await resolveSettings(sources, keepSecret);
  options = resolved.settings;
  const output = new Output(
    { stdout: process.stdout, stderr: process.stderr, stdoutGone: () => stdoutState.gone },
    options,
    process.env,
    secrets,
  );
  process.on("exit", () => {
    if (output.terminalChanged) process.stderr.write("\u001B[?25h\u001B[?7h");
  });
  return {
    settings: resolved.settings,
    raw: resolved.raw,
    argument,
    otherArgument,
    manyArguments,
    output,
    signal: interruption.signal,
    tool: { name: "mqbackup", version: versionOf() },
    env: process.env,
    measured: (samples) => report?.measured(samples),
    keepSecret,
  };
}

function optionsFromFlags(): OutputOptions {
  const has = (flag: string): boolean => process.argv.includes(flag);
  return {
    json: has("--json") || /^(true|yes|on|1)$/i.test(process.env["MQBACKUP_JSON"] ?? ""),
    quiet: has("--quiet"),
    verbose: has("--verbose"),
    noColor: has("--no-color"),
    noProgress: has("--no-progress"),
  };
}

/** `mqbackup cat ... | head` is no failure; a full disk is one. */
function watchOutput(): void {
  process.stdout.on("error", (error) => {
    const code = "code" in error ? String(error.code) : error.message;
    stdoutState.gone = true;
    if (code === "EPIPE") return;
    void end(
      told(new BackupError("INTERNAL", `standard output cannot be written: ${code}`, { cause: error })),
    );
  });
  process.stderr.on("error", () => undefined);
}

/** Resolves when what was printed is out, or cannot be. */
async function flushed(): Promise<void> {
  if (stdoutState.gone) return;
  await new Promise<void>((resolve) => process.stdout.write("", () => resolve()));
}

/** The first asks for an orderly end, the second ends at once. */
function listenForSignals(): void {
  const onSignal = (signal: NodeJS.Signals): void => {
    if (interruption.signal.aborted) process.exit(INTERRUPTED);
    interruption.abort(new BackupError("INTERRUPTED", `interrupted by ${signal}`));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
}

function versionOf(): string {
  const file: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof file === "object" && file !== null && "version" in file ? String(file.version) : "unknown";
}
