import { expect, test } from "vitest";
import { parseBackupId } from "../../../src/domain/backup-id.ts";
import type { Finding, Severity } from "../../../src/domain/findings.ts";
import type { VerifyResult } from "../../../src/usecases/verify.ts";
import { wholeCopies } from "../../../src/usecases/whole-copies.ts";

const [ONE, TWO, THREE] = ["20261121-193300F", "20261121-193400F", "20261121-193500F"];

function finding(backup: string | null, severity: Severity): Finding {
  return { severity, code: "VOLUME_DAMAGED", backup, file: null, queue: null, segment: null, message: "bad" };
}

function result(ids: readonly string[], ...findings: readonly Finding[]): VerifyResult {
  const counts = { segments: 0, ofSegments: 0, messages: 0, storedBytes: 0, readBytes: 0 };
  const backups = ids.map((id) => ({ id: parseBackupId(id), ...counts, problems: 0 }));
  return { level: { kind: "checksums" }, backups, findings };
}

test("the first other target where nothing is wrong with it", () => {
  const verified = [
    { target: "a", result: result([ONE, TWO, THREE], finding(ONE, "damage"), finding(THREE, "unverified")) },
    { target: "b", result: result([ONE, TWO], finding(ONE, "unverified"), finding(TWO, "damage")) },
    { target: "c", result: result([ONE, TWO], finding(ONE, "note"), finding(null, "damage")) },
  ];
  expect(wholeCopies(verified)).toEqual([
    { backup: ONE, damagedAt: "a", wholeAt: "c" },
    { backup: TWO, damagedAt: "b", wholeAt: "a" },
  ]);
});

test.each<[string, VerifyResult]>([
  ["is damaged too", result([ONE], finding(ONE, "damage"))],
  ["could not be looked at", result([ONE], finding(ONE, "unverified"))],
  ["does not have it", result([TWO])],
  ["has a manifest of it that cannot be read", result([], finding(ONE, "damage"))],
])("none when the other target %s", (_, other) => {
  const verified = [
    { target: "a", result: result([ONE], finding(ONE, "damage")) },
    { target: "b", result: other },
  ];
  expect(wholeCopies(verified)).toEqual([]);
});

test("one target alone has no other", () => {
  expect(wholeCopies([{ target: "a", result: result([ONE], finding(ONE, "damage")) }])).toEqual([]);
});
