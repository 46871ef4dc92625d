import { describeLeave, type LeaveReason } from "../domain/copy-plan.ts";
import type { CopiedTo, CopyOutcome, CopyResult } from "../usecases/copy-types.ts";
import { formatTable, visible, type Paint } from "./terminal-text.ts";
import { formatBytes, formatCounted } from "./units.ts";

/** What was done at each destination, or would be; backups that were there whole are only counted. */
export function copyLines(result: CopyResult, paint: Paint): readonly string[] {
  const { source, dryRun, destinations } = result;
  return [
    ...destinations.flatMap((each, at) => [
      ...(at === 0 ? [] : [""]),
      `${visible(source)} -> ${visible(each.location)}`,
      ...outcomeTable(each, dryRun, paint),
      ...totalLines(each, dryRun),
    ]),
    ...(dryRun ? ["nothing was copied: leave --dry-run away to do it"] : []),
    ...sourceLines(result, paint),
  ];
}

/** For those who want quiet: what was not done, and damage. */
export function copyComplaints(result: CopyResult, paint: Paint): readonly string[] {
  const left = result.destinations.flatMap(({ location, backups }) =>
    backups.flatMap(({ step, left: reason }) =>
      reason === null
        ? []
        : [`${paint("left", "yellow")}: ${step.source.id} at ${visible(location)}: ${reasonText(reason)}`],
    ),
  );
  return [...left, ...sourceLines(result, paint)];
}

/** For machines: everything. */
export function copyJson(result: CopyResult, status: number): unknown {
  const { source, dryRun, unusable, destinations } = result;
  return {
    status,
    source,
    dryRun,
    unusable: unusable.map(({ id, damage }) => ({ id, code: damage.code, message: damage.message })),
    targets: destinations.map(({ location, backups, failure }) => ({
      target: location,
      backups: backups.map((outcome) => outcomeJson(outcome, dryRun)),
      bytes: backups.reduce((sum, { bytes }) => sum + bytes, 0),
      failure: failure === null ? null : { code: failure.code, message: failure.message },
    })),
  };
}

export function outcomeJson(outcome: CopyOutcome, dryRun: boolean): Readonly<Record<string, unknown>> {
  const { step, bytes, done, left } = outcome;
  return {
    id: step.source.id,
    set: step.source.set,
    action: left === null ? step.action : "leave",
    done,
    files: step.files.map(({ file, fault }) => ({ name: file.name, bytes: file.bytes, fault })),
    manifest: step.manifest,
    mark: step.mark,
    bytes,
    reason: left === null ? null : { ...left, text: reasonText(left) },
    text: copyVerdict(outcome, dryRun),
  };
}

/** "copied, 4 files, 1.2 MiB" */
export function copyVerdict(outcome: CopyOutcome, dryRun: boolean): string {
  const { step, bytes, left } = outcome;
  if (left !== null) return `left: ${reasonText(left)}`;
  const size = dryRun ? step.files.reduce((sum, { file }) => sum + file.bytes, 0) : bytes;
  const put = (verb: string): string => (dryRun ? `would be ${verb}` : verb);
  switch (step.action) {
    case "copy":
      return `${put("copied")}, ${formatCounted(step.files.length, "file")}, ${formatBytes(size)}`;
    case "repair":
      return `${put("repaired")}: ${faultsText(outcome)}, ${formatBytes(size)}`;
    case "none":
    case "leave":
      return step.mark ? put("marked") : "there already";
  }
}

function faultsText({ step }: CopyOutcome): string {
  return [
    ...(step.manifest === "replace" ? ["manifest.json was damaged"] : []),
    ...step.files.map(({ file, fault }) => `${file.name} was ${fault}`),
  ].join(", ");
}

function reasonText(reason: LeaveReason): string {
  return visible(describeLeave(reason));
}

function outcomeTable({ backups }: CopiedTo, dryRun: boolean, paint: Paint): readonly string[] {
  const shown = backups.filter(({ step, left }) => step.action !== "none" || step.mark || left !== null);
  if (shown.length === 0) return [];
  const [title = "", ...lines] = formatTable(
    [{ title: "ID" }, { title: dryRun ? "PLAN" : "RESULT" }],
    shown.map((each) => [each.step.source.id, copyVerdict(each, dryRun)]),
  );
  return [paint(title, "dim"), ...lines];
}

function totalLines({ backups, failure }: CopiedTo, dryRun: boolean): readonly string[] {
  const count = (of: (outcome: CopyOutcome) => boolean): number => backups.filter(of).length;
  const acted = (action: string) => count(({ step, left }) => left === null && step.action === action);
  const parts: readonly (readonly [number, string])[] = [
    [acted("copy"), dryRun ? "to copy" : "copied"],
    [acted("repair"), dryRun ? "to repair" : "repaired"],
    [count(({ left }) => left !== null), "left"],
    [acted("none"), "there already"],
  ];
  const told = parts.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`);
  return [
    ...(told.length > 0 ? [told.join(", ")] : failure === null ? ["no backups"] : []),
    ...(failure === null ? [] : [`broken off: ${visible(failure.message)}`]),
  ];
}

function sourceLines({ source, unusable }: CopyResult, paint: Paint): readonly string[] {
  return unusable.map(
    ({ id, damage }) =>
      `${paint("left", "yellow")}: ${id} at ${visible(source)} cannot be copied: ${visible(damage.message)}`,
  );
}
