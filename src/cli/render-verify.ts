import type { Finding } from "../domain/findings.ts";
import type { VerifyLevel } from "../domain/verify-level.ts";
import type { VerifiedBackup } from "../usecases/verify-backup.ts";
import type { VerifyResult } from "../usecases/verify.ts";
import type { WholeCopy } from "../usecases/whole-copies.ts";
import { nameOf } from "./render-backup.ts";
import { visible, type Paint } from "./terminal-text.ts";
import { formatBytes, formatCount, formatCounted } from "./units.ts";

export function verifyLines(
  { level, backups, findings }: VerifyResult,
  location: string,
  paint: Paint,
): readonly string[] {
  const lines = backups.map((backup) => {
    const { id, problems } = backup;
    const verdict =
      problems === 0 ? paint("sound", "green") : paint(formatCounted(problems, "problem"), "red");
    return `${id}  ${verdict}: ${seen(level, backup)}`;
  });
  const bad = findings.filter(({ severity }) => severity !== "note").length;
  return [
    visible(location),
    ...lines,
    ...(findings.length === 0 ? [] : ["", ...findings.map((finding) => findingLine(finding, paint))]),
    "",
    `${
      bad === 0
        ? `${formatCounted(backups.length, "backup")} verified, no damage found`
        : `${formatCounted(bad, "problem")} found in ${formatCounted(backups.length, "backup")}`
    }; looked at: ${LOOKED_AT[level.kind]}`,
  ];
}

const LOOKED_AT: Readonly<Record<VerifyLevel["kind"], string>> = {
  quick: "manifests, sizes of files, references",
  checksums: "checksums of all files, references",
  records: "every message, its fingerprint, references",
  sample: "sizes of files, references, and messages of segments taken at random",
};

function seen({ kind }: VerifyLevel, backup: VerifiedBackup): string {
  const { segments, ofSegments, messages, readBytes } = backup;
  const read = `${formatBytes(readBytes)} read`;
  switch (kind) {
    case "quick":
      return "nothing but its manifest read";
    case "checksums":
      return `${formatCounted(ofSegments, "segment")}, ${read}`;
    case "records":
      return `${formatCounted(messages, "message")} in ${formatCounted(segments, "segment")}, ${read}`;
    case "sample":
      return `${formatCounted(messages, "message")} in ${formatCount(segments)} of ${formatCounted(ofSegments, "segment")}, ${read}`;
  }
}

export function verifyJson({ level, backups, findings }: VerifyResult): object {
  const part = level.kind === "sample" ? level.part : null;
  return { level: level.kind, samplePart: part, backups, findings };
}

/** Only what is not as it should be. */
export function verifyComplaints({ findings }: VerifyResult, paint: Paint): readonly string[] {
  return findings.filter(({ severity }) => severity !== "note").map((finding) => findingLine(finding, paint));
}

/** What to take from where: nothing that is listed is lost. */
export function wholeCopyLines(copies: readonly WholeCopy[]): readonly string[] {
  return copies.map(
    ({ backup, damagedAt, wholeAt }) =>
      `${backup} is whole at ${visible(wholeAt)}: mqbackup copy --checksum --target ${visible(wholeAt)} --target ${visible(damagedAt)} mends it at the other`,
  );
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
