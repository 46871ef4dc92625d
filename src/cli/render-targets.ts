import type { TargetOutcome, TargetResult } from "../domain/target-outcome.ts";
import { visible, type Paint } from "./terminal-text.ts";
import { formatBytes, formatDuration } from "./units.ts";

const WORDS: Readonly<Record<TargetResult, string>> = {
  committed: "committed to",
  copied: "copied to",
  "given-up": "not at",
  unfinished: "not finished at",
  "not-copied": "not copied to",
};

/** What to do about a target that lacks what the run made. */
const HINT = "mqbackup copy with the same targets brings it up, the one that has all named first.";

export function hasAll({ error }: TargetOutcome): boolean {
  return error === null;
}

/** "/var/backups and s3://bucket": those that have it. */
export function locationsText(targets: readonly TargetOutcome[]): string {
  return targets
    .filter(hasAll)
    .map(({ location }) => visible(location))
    .join(" and ");
}

/** A line for each of several targets. */
export function targetLines(targets: readonly TargetOutcome[], paint: Paint): readonly string[] {
  if (targets.length < 2) return [];
  const lines = targets.map((target) => {
    const { location, result, bytes, ms } = target;
    if (!hasAll(target)) return targetComplaint(target, paint);
    return `${WORDS[result]} ${visible(location)}: ${formatBytes(bytes)} in ${formatDuration(ms)}`;
  });
  return targets.every(hasAll) ? lines : [...lines, `  ${paint("hint:", "yellow")} ${HINT}`];
}

export function targetComplaints(targets: readonly TargetOutcome[], paint: Paint): readonly string[] {
  return targets.filter((target) => !hasAll(target)).map((target) => targetComplaint(target, paint));
}

function targetComplaint({ location, result, error }: TargetOutcome, paint: Paint): string {
  return `${paint(WORDS[result], "red")} ${visible(location)}: ${visible(error?.message ?? "")}`;
}

export function targetJson({ location, result, bytes, ms, error }: TargetOutcome): object {
  const why = error === null ? null : { code: error.code, message: error.message };
  return { location, result, bytes, ms, error: why };
}
