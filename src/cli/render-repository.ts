import type { Finding } from "../domain/findings.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Listing } from "../usecases/list.ts";
import type { VerifyResult } from "../usecases/verify.ts";
import { measureLines, nameOf, queueRemarks, queueTable } from "./render-backup.ts";
import { formatTable, visible, type Paint } from "./terminal-text.ts";
import { formatBytes, formatCount, formatCounted, formatTime } from "./units.ts";

export function listingLines({ backups, damaged, location }: Listing, paint: Paint): readonly string[] {
  const [title, ...lines] = formatTable(
    [
      { title: "ID" },
      { title: "KIND" },
      { title: "FINISHED" },
      { title: "SET" },
      { title: "QUEUES", align: "right" },
      { title: "MESSAGES", align: "right" },
      { title: "BODIES", align: "right" },
      { title: "STORED", align: "right" },
      { title: "" },
    ],
    backups.map(({ id, kind, finishedAt, set, queues, messages, bodyBytes, storedBytes }) => [
      id,
      kind,
      formatTime(new Date(finishedAt)),
      visible(set),
      formatCount(queues.complete + queues.partial + queues.skipped),
      formatCount(messages),
      formatBytes(bodyBytes),
      formatBytes(storedBytes),
      [
        ...(queues.partial === 0 ? [] : [`${queues.partial} partial`]),
        ...(queues.skipped === 0 ? [] : [`${queues.skipped} skipped`]),
      ].join(", "),
    ]),
  );
  const broken = damaged.map(
    ({ id, damage }) => `${paint("damaged", "red")} ${id}: ${visible(damage.message)}`,
  );
  if (title === undefined && broken.length === 0) return [`no backups at ${visible(location)}`];
  return [...(title === undefined ? [] : [paint(title, "dim"), ...lines]), ...broken];
}

export function listingJson({ location, repositoryId, backups, damaged }: Listing): unknown {
  return {
    location,
    repositoryId,
    backups,
    damaged: damaged.map(({ id, damage }) => ({ id, code: damage.code, message: damage.message })),
  };
}

export function backupDetails(manifest: Manifest, paint: Paint): readonly string[] {
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
      ["volumes", formatCounted(volumes.length, "volume")],
      ["made by", visible(`${tool.name} ${tool.version}, format ${manifest.format}`)],
    ],
  ).slice(1);
  return [
    paint(`backup ${id}`, "bold"),
    ...facts,
    "",
    ...queueTable(queues, paint),
    ...queueRemarks(queues, paint),
    "",
    ...measureLines(manifest.measures),
  ];
}

export function verifyLines(
  { backups, findings }: VerifyResult,
  location: string,
  paint: Paint,
): readonly string[] {
  const lines = backups.map(({ id, segments, messages, storedBytes, problems }) => {
    const verdict =
      problems === 0 ? paint("sound", "green") : paint(formatCounted(problems, "problem"), "red");
    return `${id}  ${verdict}: ${formatCounted(messages, "message")} in ${formatCounted(segments, "segment")}, ${formatBytes(storedBytes)} read`;
  });
  const bad = findings.filter(({ severity }) => severity !== "note").length;
  return [
    visible(location),
    ...lines,
    ...(findings.length === 0 ? [] : ["", ...findings.map((finding) => findingLine(finding, paint))]),
    "",
    bad === 0
      ? `${formatCounted(backups.length, "backup")} verified, no damage found`
      : `${formatCounted(bad, "problem")} found in ${formatCounted(backups.length, "backup")}`,
  ];
}

/** Only what is not as it should be. */
export function verifyComplaints({ findings }: VerifyResult, paint: Paint): readonly string[] {
  return findings.filter(({ severity }) => severity !== "note").map((finding) => findingLine(finding, paint));
}

const SEVERITIES = { damage: "red", unverified: "yellow", note: "dim" } as const;

function findingLine({ severity, backup, file, queue, segment, message }: Finding, paint: Paint): string {
  const where = [
    ...(backup === null ? [] : [backup]),
    ...(file === null ? [] : [file]),
    ...(queue === null ? [] : [`queue ${nameOf(queue, true)}`]),
    ...(segment === null ? [] : [`segment ${segment}`]),
  ].join(", ");
  return `${paint(severity, SEVERITIES[severity])} ${where === "" ? "" : `${where}: `}${visible(message)}`;
}
