import type { PruneResult } from "../usecases/prune.ts";
import type { StoredBackup } from "../usecases/stored-backups.ts";
import type { Judgement } from "../domain/retention.ts";
import { keepReason } from "./keep-reason.ts";
import { formatTable, visible, type Paint } from "./terminal-text.ts";
import { formatAge, formatBytes, formatCounted } from "./units.ts";

/** How many of many a line names. */
const NAMED = 5;

/** The plan, set by set, and what came of it. */
export function pruneLines(result: PruneResult, now: Date, paint: Paint): readonly string[] {
  const { location, sets } = result;
  const tables = sets.flatMap(({ set, backups }) => [
    "",
    `set ${visible(set)}`,
    ...backupTable(result, backups, now, paint),
  ]);
  const lines = [...orphanLines(result), ...noteLines(result, paint)];
  return [
    visible(location),
    ...tables,
    ...(lines.length === 0 ? [] : ["", ...lines]),
    "",
    ...totalLines(result),
  ];
}

/** For machines: the same. */
export function pruneJson(results: readonly PruneResult[], status: number): unknown {
  return {
    status,
    confirmed: results.every(({ confirmed }) => confirmed),
    targets: results.map((result) => {
      const { location, sets, sweep, failure } = result;
      return {
        target: location,
        sets: sets.map(({ set, backups }) => ({
          set,
          backups: backups.map((each) => backupJson(result, each)),
        })),
        orphans: sweep.orphans.map(({ id, committed, objects, bytes }) => ({
          id,
          committed,
          files: objects.map(({ name }) => name),
          bytes,
          removed: isRemoved(result, "orphans-removed", id),
        })),
        unfinished: sweep.unfinished,
        foreign: sweep.foreign,
        plannedBytes: goingBytes(result),
        freedBytes: freedBytes(result),
        failure: failure === null ? null : { code: failure.code, message: failure.message },
      };
    }),
  };
}

function backupJson(result: PruneResult, { backup, reasons }: Judgement<StoredBackup>): unknown {
  const { id, kind, startedAt, bytes, marked, drain, complete, missing } = backup;
  return {
    id,
    kind,
    startedAt: startedAt.toISOString(),
    bytes,
    marked,
    drain,
    complete,
    missing,
    plan: reasons.length > 0 ? "keep" : "remove",
    reasons: reasons.map((reason) => ({ ...reason, text: keepReason(reason) })),
    removed: isRemoved(result, "backup-removed", id),
  };
}

function backupTable(
  result: PruneResult,
  backups: readonly Judgement<StoredBackup>[],
  now: Date,
  paint: Paint,
): readonly string[] {
  const [title = "", ...lines] = formatTable(
    [
      { title: "ID" },
      { title: "AGE", align: "right" },
      { title: "STORED", align: "right" },
      { title: "PLAN" },
      { title: "WHY" },
    ],
    backups.map((each) => [
      each.backup.id,
      formatAge(now.getTime() - each.backup.startedAt.getTime()),
      formatBytes(each.backup.bytes),
      verdict(result, each),
      why(each),
    ]),
  );
  return [paint(title, "dim"), ...lines];
}

function verdict(result: PruneResult, { backup, reasons }: Judgement<StoredBackup>): string {
  if (reasons.length > 0) return "keep";
  if (isRemoved(result, "backup-removed", backup.id)) return "removed";
  return result.confirmed ? "not removed" : "remove";
}

function why({ backup, reasons }: Judgement<StoredBackup>): string {
  if (reasons.length > 0) return reasons.map(keepReason).join(", ");
  return `no rule keeps it${backup.drain ? "; drained: its messages are on no queue" : ""}`;
}

function orphanLines({ sweep }: PruneResult): readonly string[] {
  return sweep.orphans.map(({ id, committed, objects, bytes }) => {
    const what = `${formatCounted(objects.length, "file")}, ${formatBytes(bytes)}`;
    return committed
      ? `orphans beside backup ${id}: ${what} that it does not need`
      : `orphans of ${id}, which is no backup: ${what}`;
  });
}

function noteLines({ sets, sweep }: PruneResult, paint: Paint): readonly string[] {
  const broken = sets.flatMap(({ backups }) =>
    backups
      .filter(({ backup }) => backup.missing.length > 0)
      .map(({ backup }) => `backup ${backup.id} lacks ${some(backup.missing)}: see mqbackup verify`),
  );
  const { unfinished, foreign } = sweep;
  return [
    ...broken.map((line) => `${paint("warning", "yellow")}: ${line}`),
    ...(unfinished.length === 0
      ? []
      : [`note: left, as it may belong to a run at work: ${some(unfinished)}`]),
    ...(foreign.length === 0 ? [] : [`note: left, as it is not mqbackup's: ${some(foreign)}`]),
  ];
}

function some(names: readonly string[]): string {
  const more = names.length > NAMED ? [`and ${names.length - NAMED} more`] : [];
  return [...names.slice(0, NAMED).map(visible), ...more].join(", ");
}

function totalLines(result: PruneResult): readonly string[] {
  const { confirmed, sets, sweep, removals } = result;
  if (confirmed) {
    const backups = removals.filter(({ kind }) => kind === "backup-removed").length;
    const what = partsOf(backups, removals.length - backups);
    return [what === "" ? "nothing removed" : `removed ${what}: ${formatBytes(freedBytes(result))} freed`];
  }
  const going = sets.flatMap(({ backups }) => backups.filter(({ reasons }) => reasons.length === 0));
  const what = partsOf(going.length, sweep.orphans.length);
  if (what === "") return ["nothing to remove"];
  return [
    `would remove ${what}: ${formatBytes(goingBytes(result))}`,
    "nothing was removed: do it with --confirm",
  ];
}

/** "2 backups and the orphans of 1 folder" */
function partsOf(backups: number, folders: number): string {
  return [
    ...(backups === 0 ? [] : [formatCounted(backups, "backup")]),
    ...(folders === 0 ? [] : [`the orphans of ${formatCounted(folders, "folder")}`]),
  ].join(" and ");
}

function isRemoved({ removals }: PruneResult, kind: string, id: string): boolean {
  return removals.some((removal) => removal.kind === kind && removal.id === id);
}

function freedBytes({ removals }: PruneResult): number {
  return removals.reduce((sum, { bytes }) => sum + bytes, 0);
}

function goingBytes({ sets, sweep }: PruneResult): number {
  const backups = sets.flatMap((each) => each.backups.filter(({ reasons }) => reasons.length === 0));
  return [...backups.map(({ backup }) => backup), ...sweep.orphans].reduce(
    (sum, { bytes }) => sum + bytes,
    0,
  );
}
