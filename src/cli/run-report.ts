import { PARTIAL, DONE } from "./exit-status.ts";
import { mergedMetrics, metricsText, parseMetrics, type NewSample } from "./metrics-text.ts";
import { METRICS, type Measured } from "./metrics.ts";
import type { CommandName } from "./setting-entry.ts";
import { settingEntry } from "./setting-table.ts";
import type { Settings } from "./settings-schema.ts";
import { maskPath } from "./url-text.ts";

export interface ReportDeps {
  now(): Date;
  /** Resolves with why it could not be sent, null when it was. */
  ping(address: string, signal: AbortSignal): Promise<string | null>;
  /** Empty where there is no file. Throws METRICS_FAILED, as `write` does. */
  read(file: string): Promise<string>;
  write(file: string, text: string): Promise<void>;
  /** Something others should have been told and were not; the run goes on. */
  warn(message: string): void;
  /** Prints an error. */
  complain(error: unknown): void;
}

/** How long telling may take after an interruption: the process is expected to end. */
const HURRY_MS = 3000;

/**
 * What a run tells others than whoever started it: metrics into a file, pings to a service that notices when they do not come. Around
 * every command, so that none needs code of its own. Never makes a good run a bad one, but for its status: see `ended`.
 */
export class RunReport {
  readonly #deps: ReportDeps;
  readonly #command: CommandName;
  readonly #file: string | null;
  readonly #url: string | null;
  readonly #signal: AbortSignal;
  readonly #began: Date;
  readonly #measured: Measured[] = [];
  readonly #started: Promise<void>;
  #ended: Promise<number> | null = null;

  /** Tells that the run begins; a rehearsal, and a command nobody watches, tell nothing. `signal`: the run's own. */
  constructor(deps: ReportDeps, command: CommandName, settings: Settings, signal: AbortSignal) {
    const wanted = (key: "metricsFile" | "pingUrl"): string | null =>
      settingEntry(key).commands.includes(command) && !isRehearsal(command, settings) ? settings[key] : null;
    this.#deps = deps;
    this.#command = command;
    this.#file = wanted("metricsFile");
    this.#url = wanted("pingUrl");
    this.#signal = signal;
    this.#began = deps.now();
    this.#started = this.#ping("/start", signal);
  }

  measured(samples: readonly Measured[]): void {
    this.#measured.push(...samples);
  }

  /**
   * Tells how it ended; resolves with the status to exit with: the given one, but 3 in place of 0 when the metrics could not be written.
   * A ping that fails is a warning. Only the first call counts.
   */
  async ended(status: number): Promise<number> {
    this.#ended ??= this.#end(status);
    return this.#ended;
  }

  async #end(status: number): Promise<number> {
    const final = (await this.#writeMetrics(status)) || status !== DONE ? status : PARTIAL;
    await this.#started;
    await this.#ping(final === DONE ? "" : `/${final}`, soonAfter(this.#signal));
    return final;
  }

  /** False: it could not be done. */
  async #writeMetrics(status: number): Promise<boolean> {
    if (this.#file === null) return true;
    try {
      const before = parseMetrics(await this.#deps.read(this.#file));
      const text = metricsText(mergedMetrics(before, this.#samples(status)), METRICS);
      await this.#deps.write(this.#file, text);
      return true;
    } catch (error) {
      this.#deps.complain(error);
      return false;
    }
  }

  #samples(status: number): readonly NewSample[] {
    const now = this.#deps.now().getTime() / 1000;
    const general: readonly Measured[] = [
      { name: "mqbackup_last_run_timestamp_seconds", value: now },
      { name: "mqbackup_last_run_status", value: status },
      { name: "mqbackup_last_run_duration_seconds", value: now - this.#began.getTime() / 1000 },
      ...(status === DONE ? [{ name: "mqbackup_last_success_timestamp_seconds" as const, value: now }] : []),
    ];
    return [...general, ...this.#measured].map(({ name, labels = {}, value }) => ({
      name,
      labels: { command: this.#command, ...labels },
      value,
    }));
  }

  async #ping(ending: string, signal: AbortSignal): Promise<void> {
    if (this.#url === null) return;
    const url = new URL(this.#url);
    url.pathname = `${url.pathname.replace(/\/$/, "")}${ending}`;
    const why = await this.#deps.ping(url.href, signal);
    // That an interrupted run has begun is no news any more.
    if (why === null || (ending === "/start" && signal.aborted)) return;
    this.#deps.warn(`the ping to ${maskPath(this.#url)} failed: ${why}`);
  }
}

/** It says what would be done, and does nothing. */
function isRehearsal(command: CommandName, { dryRun, confirm }: Settings): boolean {
  return dryRun || (command === "prune" && !confirm);
}

/** Aborts a little later than the signal. */
function soonAfter(signal: AbortSignal): AbortSignal {
  if (signal.aborted) return AbortSignal.timeout(HURRY_MS);
  const later = new AbortController();
  signal.addEventListener("abort", () => setTimeout(() => later.abort(), HURRY_MS), { once: true });
  return later.signal;
}
