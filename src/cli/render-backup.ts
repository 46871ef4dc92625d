import { derivedOf } from "../domain/derived-measures.ts";
import { holdingOf } from "../domain/holdings.ts";
import type { Manifest, Measures, QueueEntry } from "../domain/manifest.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { BackupResult } from "../usecases/backup-types.ts";
import { locationsText, targetComplaints, targetJson, targetLines } from "./render-targets.ts";
import { formatTable, visible, type Paint } from "./terminal-text.ts";
import { formatBytes, formatCount, formatCounted, formatDuration, formatPercent } from "./units.ts";

/** A committed backup: a line for each queue, then what a person should know of them, then the sums. */
export function backupLines(result: BackupResult, paint: Paint): readonly string[] {
  const lines = result.manifests.flatMap((manifest) => [
    `${paint(`backup ${manifest.id}`, "bold")} ${basedOn(manifest)}committed to ${locationsText(result.targets)}`,
    "",
    ...queueTable(manifest.queues, paint),
    ...queueRemarks(manifest.queues, paint),
    "",
    ...measureLines(manifest.measures),
  ]);
  const remarks = [
    ...targetLines(result.targets, paint),
    ...resumedLines(result),
    ...warningLines(result.warnings, paint),
    ...removalLines(result, paint),
  ];
  return remarks.length === 0 ? lines : [...lines, "", ...remarks];
}

function basedOn({ base }: Manifest): string {
  return base === null ? "" : `on ${base} `;
}

/** Only what is not as it was asked for: all there is to say when nothing else is wanted. */
export function backupComplaints(result: BackupResult, paint: Paint): readonly string[] {
  const remarks = result.manifests.flatMap(({ id, queues }) => {
    const incomplete = queues.filter(({ outcome }) => outcome !== "complete");
    if (incomplete.length === 0) return [];
    const summary = `backup ${id} is partial: ${formatCounted(incomplete.length, "queue")} of ${formatCount(queues.length)} skipped or with gaps`;
    return [`${paint("mqbackup:", "yellow")} ${summary}`, ...queueRemarks(incomplete, paint).slice(1)];
  });
  return [
    ...remarks,
    ...targetComplaints(result.targets, paint),
    ...removalLines({ ...result, removals: result.removals.filter(({ failure }) => failure) }, paint),
  ];
}

function resumedLines({ resumed }: BackupResult): readonly string[] {
  if (resumed === null) return [];
  const { volumes, bytes, segments, unusedBytes } = resumed;
  const unused = unusedBytes === 0 ? "" : `, ${formatBytes(unusedBytes)} of them of no use any more`;
  return [
    `of an interrupted full it took over ${formatCounted(volumes, "volume")}, ${formatBytes(bytes)}, with ${formatCounted(segments, "segment")}${unused}`,
  ];
}

export function warningLines(warnings: readonly string[], paint: Paint): readonly string[] {
  return warnings.map((warning) => `${paint("warning:", "yellow")} ${visible(warning)}`);
}

/** Of a manifest, for `full` and `show`. What is kept from other backups is told where there is any. */
export function queueTable(queues: readonly QueueEntry[], paint: Paint): readonly string[] {
  const withVhost = severalVhosts(queues);
  const withKept = queues.some((queue) => holdingOf(queue).kept > 0);
  const [title, ...lines] = formatTable(
    [
      ...(withVhost ? [{ title: "VHOST" }] : []),
      { title: "QUEUE" },
      { title: "TYPE" },
      { title: "OUTCOME" },
      { title: "MESSAGES", align: "right" },
      ...(withKept
        ? ([
            { title: "OWN", align: "right" },
            { title: "KEPT", align: "right" },
          ] as const)
        : []),
      { title: "BODIES", align: "right" },
      { title: "HELD", align: "right" },
    ],
    queues.map((queue) => [
      ...(withVhost ? [visible(queue.vhost)] : []),
      visible(queue.name),
      queue.type,
      queue.outcome,
      queue.outcome === "skipped" ? "-" : formatCount(queue.messages),
      ...(withKept ? holdingCells(queue) : []),
      queue.outcome === "skipped" ? "-" : formatBytes(queue.bodyBytes),
      queue.holdMs === null ? "-" : formatDuration(queue.holdMs),
    ]),
  );
  return title === undefined ? [] : [paint(title, "dim"), ...lines];
}

function holdingCells(queue: QueueEntry): readonly string[] {
  const { own, kept } = holdingOf(queue);
  return queue.outcome === "skipped" ? ["-", "-"] : [formatCount(own), formatCount(kept)];
}

/** Skips with their reasons and hints, gaps, notes. Empty, or begins with an empty line. */
export function queueRemarks(queues: readonly QueueEntry[], paint: Paint): readonly string[] {
  const withVhost = severalVhosts(queues);
  const lines = queues.flatMap((queue) => {
    const name = nameOf(queue, withVhost);
    return [
      ...(queue.skipped === null
        ? []
        : [
            `${paint("skipped", "red")} ${name}: ${visible(queue.skipped.message)}`,
            ...(queue.skipped.hint === null || queue.skipped.hint === ""
              ? []
              : [`  ${paint("hint:", "yellow")} ${visible(queue.skipped.hint)}`]),
          ]),
      ...queue.gaps.map(
        (gap) => `${paint("gap", "yellow")} in ${name}: ${gapSize(gap.messages)}: ${visible(gap.message)}`,
      ),
    ];
  });
  const notes = queues.flatMap((queue) =>
    queue.notes.map((text) => ({ name: nameOf(queue, withVhost), text })),
  );
  const all = [
    ...lines,
    ...grouped(notes).map(({ names, text }) => `${paint("note", "dim")} on ${names}: ${text}`),
  ];
  return all.length === 0 ? [] : ["", ...all];
}

/** How many names a line tells before it only counts the rest. */
const NAMED = 4;

/** The same remark on many queues is made once. */
export function grouped(
  remarks: readonly { readonly name: string; readonly text: string }[],
): readonly { readonly names: string; readonly text: string }[] {
  const byText = new Map<string, string[]>();
  for (const { name, text } of remarks) byText.set(text, [...(byText.get(text) ?? []), name]);
  return [...byText].map(([text, names]) => {
    const more = names.length > NAMED ? ` and ${formatCount(names.length - NAMED)} more` : "";
    return { names: `${names.slice(0, NAMED).join(", ")}${more}`, text: visible(text) };
  });
}

export function measureLines(measures: Measures): readonly string[] {
  const { messages, bodyBytes, storedBytes, totalMs, readMs, shipMs, longestHoldMs } = measures;
  const { ratio, storageUse } = derivedOf(measures);
  const seconds = Math.max(totalMs, 1) / 1000;
  const lost =
    measures.lostMessages === 0
      ? "none lost"
      : `${formatCount(measures.lostMessages)} of ${formatCount(measures.knownMessages)} known are not in it (${formatPercent(measures.lossRate)})`;
  const part = storageUse === null ? "" : ` (${formatPercent(storageUse)} of the target)`;
  return [
    `${formatCounted(messages, "message")}, ${formatBytes(bodyBytes)} of bodies; ${lost}`,
    `stored ${formatBytes(storedBytes)}${part}${ratio === null ? "" : `, ratio ${ratio.toFixed(1)}`}`,
    `took ${formatDuration(totalMs)} (read ${formatDuration(readMs)}, ship ${formatDuration(shipMs)}), ${formatCount(messages / seconds)} messages/s, ${formatBytes(Math.round(bodyBytes / seconds))}/s; longest hold ${formatDuration(longestHoldMs)}`,
  ];
}

/** For machines: manifests without their inner tables, which `show --json` has. */
export function backupJson(result: BackupResult, status: number): unknown {
  return {
    status,
    partial: result.partial,
    base: result.base,
    targets: result.targets.map(targetJson),
    backups: result.manifests.map(withoutTables),
    resumed: result.resumed,
    warnings: result.warnings,
    removals: result.removals.map(({ queue, failure }) => ({
      vhost: queue.vhost,
      name: queue.name,
      removed: failure === null,
      why: failure?.message ?? null,
    })),
    failure: result.failure === null ? null : { code: result.failure.code, message: result.failure.message },
  };
}

export function withoutTables(manifest: Manifest): object {
  return {
    ...manifest,
    measures: { ...manifest.measures, ...derivedOf(manifest.measures) },
    queues: manifest.queues.map(({ segments, index, content, ...queue }) => ({
      ...queue,
      ...holdingOf({ content }),
      segments: segments.length,
      ranges: content.length,
      indexed: index.length > 0,
    })),
  };
}

function removalLines({ removals, failure: broken }: BackupResult, paint: Paint): readonly string[] {
  const removed = removals.filter(({ failure }) => failure === null);
  const summary =
    removed.length === 0 ? [] : [`removed from ${formatCounted(removed.length, "queue")} what was backed up`];
  const left = removals.flatMap(({ queue, failure }) =>
    failure === null
      ? []
      : [`${paint("not removed", "red")} from ${nameOf(queue, true)}: ${visible(failure.message)}`],
  );
  const rest =
    broken === null || removals.length === 0
      ? []
      : [`${paint("not all was drained:", "red")} ${visible(broken.message)}`];
  return [...summary, ...left, ...rest];
}

export function severalVhosts(queues: readonly QueueAddress[]): boolean {
  return new Set(queues.map(({ vhost }) => vhost)).size > 1;
}

export function nameOf({ vhost, name }: QueueAddress, withVhost: boolean): string {
  return withVhost ? `${visible(name)} in ${visible(vhost)}` : visible(name);
}

function gapSize(messages: number | null): string {
  return messages === null ? "an unknown number of messages" : formatCounted(messages, "message");
}
