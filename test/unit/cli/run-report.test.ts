import { expect, test } from "vitest";
import { parseMetrics } from "../../../src/cli/metrics-text.ts";
import { defaultSettings } from "../../../src/cli/raw-settings.ts";
import { RunReport, type ReportDeps } from "../../../src/cli/run-report.ts";
import type { CommandName } from "../../../src/cli/setting-entry.ts";
import { parseSettings, type Settings } from "../../../src/cli/settings-schema.ts";
import { BackupError } from "../../../src/domain/errors.ts";

const URL_TOKEN = "https://hc.example/ping/0c4f1f9a-1111-2222-3333-444455556666?create=1";
const BEGAN = 1_763_768_720;

interface World {
  readonly deps: ReportDeps;
  readonly pings: string[];
  readonly said: string[];
  file: string;
}

function world(change: Partial<ReportDeps> = {}): World {
  let seconds = BEGAN;
  const made: World = {
    pings: [],
    said: [],
    file: "",
    deps: {
      now: () => new Date(1000 * seconds++),
      ping: async (address) => {
        made.pings.push(address.slice("https://hc.example/ping/0c4f1f9a-1111-2222-3333-444455556666".length));
        return null;
      },
      read: async () => made.file,
      write: async (_, text) => void (made.file = text),
      warn: (message) => made.said.push(`warning ${message}`),
      complain: (error) => made.said.push(error instanceof BackupError ? error.code : "internal"),
      ...change,
    },
  };
  return made;
}

function settings(values: Record<string, string>): Settings {
  const defaults = Object.fromEntries([...defaultSettings()].map(([key, { value }]) => [key, value]));
  const parsed = parseSettings({ ...defaults, ...values });
  if ("why" in parsed) throw new Error(parsed.why);
  return parsed;
}

async function run(
  { deps }: World,
  status: number,
  command: CommandName = "full",
  values: Record<string, string> = { metricsFile: "/m.prom", pingUrl: URL_TOKEN },
): Promise<number> {
  const report = new RunReport(deps, command, settings(values), new AbortController().signal);
  if (status === 0) report.measured([{ name: "mqbackup_backup_messages", value: 7 }]);
  return report.ended(status);
}

function valueOf({ file }: World, name: string, command = "full"): number | undefined {
  return parseMetrics(file).find((sample) => sample.name === name && sample.labels["command"] === command)
    ?.value;
}

test("a good run: metrics, start and success", async () => {
  const made = world();
  expect(await run(made, 0)).toBe(0);
  expect(made.pings).toEqual(["/start?create=1", "?create=1"]);
  expect(valueOf(made, "mqbackup_last_run_status")).toBe(0);
  expect(valueOf(made, "mqbackup_last_run_timestamp_seconds")).toBe(BEGAN + 1);
  expect(valueOf(made, "mqbackup_last_success_timestamp_seconds")).toBe(BEGAN + 1);
  expect(valueOf(made, "mqbackup_last_run_duration_seconds")).toBe(1);
  expect(valueOf(made, "mqbackup_backup_messages")).toBe(7);
  expect(made.said).toEqual([]);
});

test("a failed run keeps when the last good one was, and what that measured", async () => {
  const made = world();
  await run(made, 0);
  expect(await run(made, 4)).toBe(4);
  expect(made.pings.at(-1)).toBe("/4?create=1");
  expect(valueOf(made, "mqbackup_last_run_status")).toBe(4);
  expect(valueOf(made, "mqbackup_last_run_timestamp_seconds")).toBe(BEGAN + 3);
  expect(valueOf(made, "mqbackup_last_success_timestamp_seconds")).toBe(BEGAN + 1);
  expect(valueOf(made, "mqbackup_backup_messages")).toBe(7);
});

test("commands share a file, and foreign content does no harm", async () => {
  const made = world();
  made.file = "not ours\n";
  await run(made, 1);
  expect(valueOf(made, "mqbackup_last_success_timestamp_seconds")).toBeUndefined();
  await run(made, 20, "verify");
  expect(valueOf(made, "mqbackup_last_run_status")).toBe(1);
  expect(valueOf(made, "mqbackup_last_run_status", "verify")).toBe(20);
  expect(made.file).not.toContain("not ours");
});

test("metrics that cannot be written are an error, and a good run ends with 3", async () => {
  const broken = new BackupError("METRICS_FAILED", "no");
  const made = world({ write: async () => Promise.reject(broken) });
  expect(await run(made, 0)).toBe(3);
  expect(made.said).toEqual(["METRICS_FAILED"]);
  expect(made.pings.at(-1)).toBe("/3?create=1");
  expect(await run(made, 11)).toBe(11);
});

test("a ping that fails is a warning without the token, and changes nothing", async () => {
  const made = world({ ping: async () => "ECONNREFUSED" });
  expect(await run(made, 0)).toBe(0);
  const warning = "warning the ping to https://hc.example/*** failed: ECONNREFUSED";
  expect(made.said).toEqual([warning, warning]);
  expect(valueOf(made, "mqbackup_last_run_status")).toBe(0);
});

test("an interrupted run tells so, and not that it had no time to say it began", async () => {
  const interruption = new AbortController();
  const made = world();
  const deps: ReportDeps = {
    ...made.deps,
    ping: async (address, signal) => {
      if (!address.includes("/start")) return made.deps.ping(address, signal);
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve("there was no time for it"));
      });
    },
  };
  const report = new RunReport(
    deps,
    "full",
    settings({ metricsFile: "/m.prom", pingUrl: URL_TOKEN }),
    interruption.signal,
  );
  interruption.abort();
  expect(await report.ended(130)).toBe(130);
  expect(made.pings).toEqual(["/130?create=1"]);
  expect(valueOf(made, "mqbackup_last_run_status")).toBe(130);
  expect(made.said).toEqual([]);
});

test("a confirmed prune is no rehearsal", async () => {
  const made = world();
  await run(made, 0, "prune", { metricsFile: "/m.prom", confirm: "true" });
  expect(valueOf(made, "mqbackup_last_run_status", "prune")).toBe(0);
});

test("only the first end counts", async () => {
  const made = world();
  const report = new RunReport(
    made.deps,
    "full",
    settings({ pingUrl: URL_TOKEN }),
    new AbortController().signal,
  );
  expect(await Promise.all([report.ended(5), report.ended(0)])).toEqual([5, 5]);
  expect(made.pings).toEqual(["/start?create=1", "/5?create=1"]);
});

test("a rehearsal, and what nobody watches, tell nothing", async () => {
  const made = world();
  const all = { metricsFile: "/m.prom", pingUrl: URL_TOKEN };
  expect(await run(made, 0, "list", all)).toBe(0);
  expect(await run(made, 0, "full", { ...all, dryRun: "true" })).toBe(0);
  expect(await run(made, 0, "prune", all)).toBe(0);
  expect(await run(made, 0, "full", {})).toBe(0);
  expect({ pings: made.pings, file: made.file }).toEqual({ pings: [], file: "" });
});
