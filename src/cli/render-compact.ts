import type { CompactResult } from "../usecases/compact-types.ts";
import { warningLines, withoutTables } from "./render-backup.ts";
import { locationsText, targetJson, targetLines } from "./render-targets.ts";
import { formatTable, type Paint } from "./terminal-text.ts";
import { formatBytes, formatCount, formatCounted } from "./units.ts";

export function compactLines(
  { source, reads, messages, estimatedBytes, manifest, warnings, targets }: CompactResult,
  paint: Paint,
): readonly string[] {
  const [title, ...rows] = formatTable(
    [{ title: "READ FROM" }, { title: "SEGMENTS", align: "right" }, { title: "STORED", align: "right" }],
    reads.map(({ backup, segments, bytes }) => [backup, formatCount(segments), formatBytes(bytes)]),
  );
  const table = title === undefined ? [] : [paint(title, "dim"), ...rows, ""];
  const held = formatCounted(messages, "message");
  if (manifest === null) {
    return [
      `backup ${source} would be made a full one:`,
      "",
      ...table,
      `${held}, about ${formatBytes(estimatedBytes)}`,
    ];
  }
  return [
    `backup ${source} is also the full backup ${paint(manifest.id, "bold")}, committed to ${locationsText(targets)}`,
    "",
    ...table,
    `${held}, stored ${formatBytes(manifest.measures.storedBytes)}`,
    ...targetLines(targets, paint),
    ...warningLines(warnings, paint),
  ];
}

export function compactJson(
  { source, reads, messages, estimatedBytes, manifest, warnings, targets }: CompactResult,
  status: number,
): object {
  return {
    status,
    dryRun: manifest === null,
    targets: targets.map(targetJson),
    source,
    reads,
    messages,
    estimatedBytes,
    warnings,
    backup: manifest === null ? null : withoutTables(manifest),
  };
}
