import { derivedOf } from "../domain/derived-measures.ts";
import { holdingOf, keptFrom } from "../domain/holdings.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { ShownBackup } from "../usecases/show.ts";
import { measureLines, queueRemarks, queueTable } from "./render-backup.ts";
import { formatTable, visible, type Paint } from "./terminal-text.ts";
import { formatCount, formatCounted, formatTime } from "./units.ts";

export function backupDetails({ manifest, marked }: ShownBackup, paint: Paint): readonly string[] {
  const { id, kind, base, set, startedAt, finishedAt, drain, broker, queues, volumes, tool } = manifest;
  const facts = formatTable(
    [{ title: "" }, { title: "" }],
    [
      ["kind", `${kind}${base === null ? "" : ` on ${base}`}${drain ? ", drained" : ""}`],
      ["set", visible(set)],
      ["begun", formatTime(new Date(startedAt))],
      ["finished", formatTime(new Date(finishedAt))],
      [
        "broker",
        visible(
          `${broker.product} ${broker.version}${broker.clusterName === null ? "" : `, cluster ${broker.clusterName}`}, ${broker.url}`,
        ),
      ],
      ...(broker.management ? [] : [["mode", "AMQP only: types as told, no exchanges and bindings"]]),
      ...(marked ? [["marked", "no policy removes it"]] : []),
      ["volumes", formatCounted(volumes.length, "volume")],
      ...(manifest.compactedFrom === undefined ? [] : [["compacted from", manifest.compactedFrom]]),
      ...(manifest.encryption === undefined ? [] : [["encrypted", encryptionOf(manifest)]]),
      ["made by", visible(`${tool.name} ${tool.version}, format ${manifest.format}`)],
    ],
  ).slice(1);
  return [
    paint(`backup ${id}`, "bold"),
    ...facts,
    "",
    ...queueTable(queues, paint),
    ...queueRemarks(queues, paint),
    ...keptLines(manifest, paint),
    "",
    ...measureLines(manifest.measures),
  ];
}

function encryptionOf({ encryption, stored }: Manifest): string {
  if (stored !== undefined) return "yes, and opened with the keys given";
  const { namesHidden = false } = encryption ?? {};
  return namesHidden
    ? "yes; names and messages are read with its keys"
    : "yes; messages are read with its keys";
}

/** The manifest, and what follows from it. */
export function backupDetailsJson({ manifest, marked }: ShownBackup): unknown {
  return {
    ...manifest,
    marked,
    queues: manifest.queues.map((queue) => ({ ...queue, ...holdingOf(queue) })),
    measures: { ...manifest.measures, ...derivedOf(manifest.measures) },
    keepsFrom: keptFrom(manifest),
  };
}

/** The backups this one needs. Empty, or begins with an empty line. */
function keptLines(manifest: Manifest, paint: Paint): readonly string[] {
  const [title, ...lines] = formatTable(
    [{ title: "KEEPS FROM" }, { title: "QUEUES", align: "right" }, { title: "MESSAGES", align: "right" }],
    keptFrom(manifest).map(({ backup, queues, messages }) => [
      backup,
      formatCount(queues),
      formatCount(messages),
    ]),
  );
  return title === undefined ? [] : ["", paint(title, "dim"), ...lines];
}
