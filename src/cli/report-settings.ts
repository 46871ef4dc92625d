import type { SettingEntry } from "./setting-entry.ts";

/** The commands whose runs are told to others: those that cron runs. Whatever such a command measures it gives to its session. */
const REPORTED = ["full", "incremental", "restore", "drill", "verify", "compact", "copy", "prune"] as const;

/** Whom a run tells how it went. */
export const REPORT_SETTINGS = {
  metricsFile: {
    kind: "text",
    value: "file",
    help: "write how the run went as Prometheus metrics, whole and also when it failed; for the textfile collector of node_exporter",
    group: "Monitoring",
    commands: REPORTED,
  },
  pingUrl: {
    kind: "text",
    value: "http[s]://host/...",
    help: "ask for <url>/start when the run begins, <url> when all was done, <url>/<exit status> otherwise; better by MQBACKUP_PING_URL, as the URL is a secret",
    group: "Monitoring",
    commands: REPORTED,
  },
} as const satisfies Readonly<Record<string, SettingEntry>>;
