import type { CopyAction } from "../domain/copy-plan.ts";
import { derivedOf } from "../domain/derived-measures.ts";
import type { Manifest, Measures, QueueOutcome } from "../domain/manifest.ts";
import type { TargetOutcome } from "../domain/target-outcome.ts";
import type { DrilledQueue, DrillResult } from "../usecases/drill-types.ts";
import type { PruneResult } from "../usecases/prune.ts";
import type { CopyResult } from "../usecases/copy-types.ts";
import type { RestoreResult } from "../usecases/restore-types.ts";
import type { VerifyResult } from "../usecases/verify.ts";
import { restoreMeasures } from "./render-restore.ts";
import type { MetricHelp } from "./metrics-text.ts";

/** Every metric there is. Names, units and labels are a contract. Each has the label command. */
export const METRICS = {
  mqbackup_last_run_timestamp_seconds: "When the last run ended, in Unix time.",
  mqbackup_last_run_status: "Exit status of the last run; 0 is all that was asked for.",
  mqbackup_last_run_duration_seconds: "How long the last run took.",
  mqbackup_last_success_timestamp_seconds: "When the last run with exit status 0 ended, in Unix time.",
  mqbackup_backup_timestamp_seconds: "When the last committed backup was finished, in Unix time.",
  mqbackup_backup_messages: "Messages in the last committed backup.",
  mqbackup_backup_body_bytes: "Bytes of their bodies.",
  mqbackup_backup_plain_bytes: "Bytes of the records it holds itself, before compression.",
  mqbackup_backup_stored_bytes: "Bytes it takes at a target.",
  mqbackup_backup_target_bytes: "Capacity of the target.",
  mqbackup_backup_known_messages: "Messages the broker knew of when reading began.",
  mqbackup_backup_lost_messages: "Of these, messages that are not in the backup.",
  mqbackup_backup_loss_ratio: "Lost to known messages, from 0 to 1.",
  mqbackup_backup_storage_ratio: "Stored bytes to the capacity of the target, from 0 to 1.",
  mqbackup_backup_compression_ratio: "Plain to stored bytes.",
  mqbackup_backup_duration_seconds: "How long it took to read (with archiving), to ship, and in all.",
  mqbackup_backup_longest_hold_seconds: "How long the messages of a queue were held at most.",
  mqbackup_backup_queues: "Queues wanted, by what became of them.",
  mqbackup_target_has_backup: "Whether a target has all that the last run made: 1, or 0.",
  mqbackup_target_put_bytes: "Bytes of volumes and indexes that the last run put there.",
  mqbackup_target_duration_seconds: "How long something was on its way there.",
  mqbackup_restore_messages: "Messages published and confirmed by the last restore.",
  mqbackup_restore_body_bytes: "Bytes of their bodies.",
  mqbackup_restore_duration_seconds: "How long it took to fetch, publish and confirm them.",
  mqbackup_restore_confirm_seconds: "From publishing to confirm, of the slowest queue, by quantile.",
  mqbackup_restore_queues: "Queues to restore, by what became of them.",
  mqbackup_drill_messages: "Messages that the last drill proved: they came back as backed up.",
  mqbackup_drill_body_bytes: "Bytes of their bodies.",
  mqbackup_drill_duration_seconds: "How long it took to restore, read back, compare and remove them.",
  mqbackup_drill_queues: "Queues to prove, by what became of them.",
  mqbackup_verify_backups: "Backups looked at by the last verification, at all targets.",
  mqbackup_verify_messages: "Messages looked at, as --records and --sample do.",
  mqbackup_verify_bytes: "Bytes read.",
  mqbackup_verify_findings: "What was found, by severity.",
  mqbackup_prune_removed: "What the last confirmed prune removed, at all targets.",
  mqbackup_prune_freed_bytes: "Bytes it freed.",
  mqbackup_copy_backups: "Backups of the last copy, at all destinations, by what became of them.",
  mqbackup_copy_bytes: "Bytes put at destinations.",
} as const satisfies MetricHelp;

export type MetricName = keyof typeof METRICS;

/** A sample without the label command, which the report adds. value null: not known, and left out. */
export interface Measured {
  readonly name: MetricName;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number | null;
}

/** Of one run; with drain it may have made several backups, which count together. Empty when none was committed. */
export function backupMetrics(manifests: readonly Manifest[]): readonly Measured[] {
  const last = manifests.at(-1);
  if (last === undefined) return [];
  const measures = together(manifests.map((manifest) => manifest.measures));
  const { ratio, storageUse } = derivedOf(measures);
  const outcomes: readonly QueueOutcome[] = ["complete", "partial", "skipped"];
  const came = (wanted: QueueOutcome): number =>
    manifests[0]?.queues.filter(({ outcome }) => outcome === wanted).length ?? 0;
  return [
    { name: "mqbackup_backup_timestamp_seconds", value: new Date(last.finishedAt).getTime() / 1000 },
    { name: "mqbackup_backup_messages", value: measures.messages },
    { name: "mqbackup_backup_body_bytes", value: measures.bodyBytes },
    { name: "mqbackup_backup_plain_bytes", value: measures.plainBytes },
    { name: "mqbackup_backup_stored_bytes", value: measures.storedBytes },
    { name: "mqbackup_backup_target_bytes", value: measures.targetBytes },
    { name: "mqbackup_backup_known_messages", value: measures.knownMessages },
    { name: "mqbackup_backup_lost_messages", value: measures.lostMessages },
    { name: "mqbackup_backup_loss_ratio", value: measures.lossRate },
    { name: "mqbackup_backup_storage_ratio", value: storageUse },
    { name: "mqbackup_backup_compression_ratio", value: ratio },
    ...(["read", "ship", "total"] as const).map((phase) => ({
      name: "mqbackup_backup_duration_seconds" as const,
      labels: { phase },
      value: measures[`${phase}Ms`] / 1000,
    })),
    { name: "mqbackup_backup_longest_hold_seconds", value: measures.longestHoldMs / 1000 },
    ...outcomes.map((outcome) => ({
      name: "mqbackup_backup_queues" as const,
      labels: { outcome },
      value: came(outcome),
    })),
  ];
}

/** Of one run. */
export function targetMetrics(targets: readonly TargetOutcome[]): readonly Measured[] {
  return targets.flatMap(({ location: target, bytes, ms, error }) => {
    const labels = { target };
    return [
      { name: "mqbackup_target_has_backup" as const, labels, value: error === null ? 1 : 0 },
      { name: "mqbackup_target_put_bytes" as const, labels, value: bytes },
      { name: "mqbackup_target_duration_seconds" as const, labels, value: ms / 1000 },
    ];
  });
}

export function restoreMetrics(result: RestoreResult): readonly Measured[] {
  const { messages, bodyBytes, latencyMs, confirmP50Ms, confirmP99Ms } = restoreMeasures(result);
  const outcomes = ["restored", "failed", "interrupted", "not-begun"] as const;
  return [
    { name: "mqbackup_restore_messages", value: messages },
    { name: "mqbackup_restore_body_bytes", value: bodyBytes },
    { name: "mqbackup_restore_duration_seconds", value: latencyMs / 1000 },
    { name: "mqbackup_restore_confirm_seconds", labels: { quantile: "0.5" }, value: seconds(confirmP50Ms) },
    { name: "mqbackup_restore_confirm_seconds", labels: { quantile: "0.99" }, value: seconds(confirmP99Ms) },
    ...outcomes.map((outcome) => ({
      name: "mqbackup_restore_queues" as const,
      labels: { outcome },
      value: result.queues.filter((queue) => queue.outcome === outcome).length,
    })),
  ];
}

export function drillMetrics({ queues, startedAt, finishedAt }: DrillResult): readonly Measured[] {
  const outcomes = ["proven", "differs", "damaged", "not-drilled", "interrupted"] as const;
  const proven = queues.filter(({ outcome }) => outcome === "proven");
  const sum = (of: (queue: DrilledQueue) => number): number =>
    proven.reduce((all, queue) => all + of(queue), 0);
  return [
    { name: "mqbackup_drill_messages", value: sum(({ messages }) => messages) },
    { name: "mqbackup_drill_body_bytes", value: sum(({ bodyBytes }) => bodyBytes) },
    { name: "mqbackup_drill_duration_seconds", value: (finishedAt.getTime() - startedAt.getTime()) / 1000 },
    ...outcomes.map((wanted) => ({
      name: "mqbackup_drill_queues" as const,
      labels: { outcome: wanted },
      value: queues.filter(({ outcome }) => outcome === wanted).length,
    })),
  ];
}

/** Of all targets. */
export function verifyMetrics(results: readonly VerifyResult[]): readonly Measured[] {
  const backups = results.flatMap((result) => result.backups);
  const findings = results.flatMap((result) => result.findings);
  const sum = (of: (backup: (typeof backups)[number]) => number): number =>
    backups.reduce((all, backup) => all + of(backup), 0);
  return [
    { name: "mqbackup_verify_backups", value: backups.length },
    { name: "mqbackup_verify_messages", value: sum(({ messages }) => messages) },
    { name: "mqbackup_verify_bytes", value: sum(({ readBytes }) => readBytes) },
    ...(["damage", "unverified", "note"] as const).map((severity) => ({
      name: "mqbackup_verify_findings" as const,
      labels: { severity },
      value: findings.filter((finding) => finding.severity === severity).length,
    })),
  ];
}

/** Of all targets. */
export function pruneMetrics(results: readonly PruneResult[]): readonly Measured[] {
  const removals = results.flatMap((result) => result.removals);
  const backups = removals.filter(({ kind }) => kind === "backup-removed").length;
  return [
    { name: "mqbackup_prune_removed", labels: { what: "backup" }, value: backups },
    { name: "mqbackup_prune_removed", labels: { what: "orphan" }, value: removals.length - backups },
    { name: "mqbackup_prune_freed_bytes", value: removals.reduce((sum, { bytes }) => sum + bytes, 0) },
  ];
}

/** Of all destinations. */
export function copyMetrics({ destinations }: CopyResult): readonly Measured[] {
  const backups = destinations.flatMap((each) => each.backups);
  const became = (action: CopyAction): number =>
    backups.filter(({ step, left }) => (left === null ? step.action : "leave") === action).length;
  return [
    ...COPY_OUTCOMES.map(([action, outcome]) => ({
      name: "mqbackup_copy_backups" as const,
      labels: { outcome },
      value: became(action),
    })),
    { name: "mqbackup_copy_bytes", value: backups.reduce((sum, { bytes }) => sum + bytes, 0) },
  ];
}

const COPY_OUTCOMES: readonly (readonly [CopyAction, string])[] = [
  ["none", "there-already"],
  ["copy", "copied"],
  ["repair", "repaired"],
  ["leave", "left"],
];

function together(all: readonly Measures[]): Measures {
  const sum = (of: (measures: Measures) => number): number =>
    all.reduce((total, each) => total + of(each), 0);
  const known = sum(({ knownMessages }) => knownMessages);
  const lost = sum(({ lostMessages }) => lostMessages);
  return {
    messages: sum(({ messages }) => messages),
    bodyBytes: sum(({ bodyBytes }) => bodyBytes),
    plainBytes: sum(({ plainBytes }) => plainBytes),
    storedBytes: sum(({ storedBytes }) => storedBytes),
    targetBytes: all.at(-1)?.targetBytes ?? null,
    knownMessages: known,
    lostMessages: lost,
    lossRate: known === 0 ? 0 : lost / known,
    readMs: sum(({ readMs }) => readMs),
    shipMs: sum(({ shipMs }) => shipMs),
    totalMs: sum(({ totalMs }) => totalMs),
    longestHoldMs: Math.max(...all.map(({ longestHoldMs }) => longestHoldMs)),
  };
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}
