import type { VerifyResult } from "./verify.ts";

/** A backup that is damaged at one target and sound at another. */
export interface WholeCopy {
  readonly backup: string;
  readonly damagedAt: string;
  readonly wholeAt: string;
}

/** For each backup damaged at one of the targets the first other one where nothing is wrong with it, as deep as was looked. */
export function wholeCopies(
  verified: readonly { readonly target: string; readonly result: VerifyResult }[],
): readonly WholeCopy[] {
  return verified.flatMap(({ target: damagedAt, result }) => {
    const damaged = result.findings.filter(({ severity }) => severity === "damage");
    const ids = new Set(damaged.flatMap(({ backup }) => backup ?? []));
    return [...ids].flatMap((backup) => {
      const whole = verified.find(
        (other) => other.target !== damagedAt && isSoundIn(other.result, backup),
      )?.target;
      return whole === undefined ? [] : [{ backup, damagedAt, wholeAt: whole }];
    });
  });
}

function isSoundIn({ backups, findings }: VerifyResult, id: string): boolean {
  return (
    backups.some((backup) => backup.id === id) &&
    findings.every(({ backup, severity }) => backup !== id || severity === "note")
  );
}
