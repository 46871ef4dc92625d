import type { RekeyedAt, RekeyResult } from "../usecases/rekey-types.ts";
import { visible, type Paint } from "./terminal-text.ts";
import { formatCounted } from "./units.ts";

const UNCHANGED =
  "volumes, indexes and manifests stay as they are: only key.age of each backup is for others now";
const STILL_READABLE =
  "who could open a key.age before and kept a copy of it, or of the key in it, can still read that backup: of what he must not read, take full backups and remove the old ones";

export function rekeyLines(result: RekeyResult, paint: Paint): readonly string[] {
  const { dryRun, targets } = result;
  const some = targets.some(({ rekeyed }) => rekeyed.length > 0);
  return [
    ...targets.flatMap((each) => targetLines(each, dryRun, paint)),
    ...(dryRun ? ["nothing was written: leave --dry-run away to do it"] : []),
    ...(some && !dryRun ? [`note: ${UNCHANGED}`, `note: ${STILL_READABLE}`] : []),
  ];
}

/** For those who want quiet: what was not done. */
export function rekeyComplaints({ targets }: RekeyResult, paint: Paint): readonly string[] {
  return targets.flatMap((each) => complaints(each, paint));
}

export function rekeyJson({ dryRun, targets }: RekeyResult, status: number): unknown {
  return {
    status,
    dryRun,
    targets: targets.map(({ location, rekeyed, left, notEncrypted, unusable, failure }) => ({
      target: location,
      rekeyed,
      left,
      notEncrypted,
      unusable: unusable.map(({ id, damage }) => ({ id, code: damage.code, message: damage.message })),
      failure: failure === null ? null : { code: failure.code, message: failure.message },
    })),
  };
}

function targetLines(target: RekeyedAt, dryRun: boolean, paint: Paint): readonly string[] {
  const { location, rekeyed, left, notEncrypted, unusable } = target;
  const all = rekeyed.length + left.length + unusable.length;
  const done = `${rekeyed.length} of ${formatCounted(all, "encrypted backup")} ${dryRun ? "would be rekeyed" : "rekeyed"}`;
  const plain =
    notEncrypted.length === 0 ? "" : `; ${formatCounted(notEncrypted.length, "backup")} not encrypted`;
  return [
    `${visible(location)}: ${all === 0 ? "no encrypted backups" : done}${plain}`,
    ...complaints(target, paint),
  ];
}

function complaints({ location, left, unusable }: RekeyedAt, paint: Paint): readonly string[] {
  const word = paint("left", "yellow");
  const where = visible(location);
  return [
    ...(left.length === 0 ? [] : [`${word}: still for those of before at ${where}: ${left.join(", ")}`]),
    ...unusable.map(({ id, damage }) => `${word}: ${id} at ${where}: ${visible(damage.message)}`),
  ];
}
