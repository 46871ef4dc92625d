import { expect, test } from "vitest";
import { parseBackupId, type BackupId } from "../../../src/domain/backup-id.ts";
import { planCopy, type CopyPresence, type CopySource } from "../../../src/domain/copy-plan.ts";

const F = parseBackupId("20261121-193200F");
const I1 = parseBackupId("20261121-193200F_20261121-194200I");
const I2 = parseBackupId("20261121-193200F_20261121-195200I");
const FILES = ["data-00001.tar.zst", "index.tar.zst"].map((name) => ({ name, bytes: 5, sha256: "0" }));

function source(id: BackupId, needs: readonly BackupId[] = [], marked = false): CopySource {
  return { id, files: FILES, needs, marked };
}

function there(more: Partial<CopyPresence> = {}): CopyPresence {
  return { manifest: "same", faults: new Map(), marked: false, ...more };
}

function plan(
  sources: readonly CopySource[],
  presences: readonly (readonly [BackupId, CopyPresence])[] = [],
  committed: readonly BackupId[] = [],
) {
  return planCopy(sources, new Map(presences), new Set(committed)).map(
    ({ source: { id }, action, reason, files, manifest, mark }) => ({
      id,
      action,
      reason,
      manifest,
      mark,
      files: files.map(({ file, fault }) => `${file.name} ${fault}`),
    }),
  );
}

test("none comes before one it needs, even when a clock dated that later", () => {
  expect(plan([source(I2, [I1, F]), source(I1, [F]), source(F)]).map(({ id }) => id)).toEqual([F, I1, I2]);
  expect(plan([source(I1, [I2]), source(I2, [F]), source(F)]).map(({ id }) => id)).toEqual([F, I2, I1]);
});

test("what is missing is put whole, the manifest last; what is there is left alone", () => {
  const files = ["data-00001.tar.zst missing", "index.tar.zst missing"];
  expect(plan([source(F), source(I1, [F], true)], [[F, there()]], [F])).toEqual([
    { id: F, action: "none", reason: null, manifest: null, mark: false, files: [] },
    { id: I1, action: "copy", reason: null, manifest: "put", mark: true, files },
  ]);
});

test("files that are wrong are replaced, a damaged manifest behind them, a mark is put", () => {
  const faults = new Map([["index.tar.zst", "damaged" as const]]);
  const presences = [
    [F, there({ faults })],
    [I1, there({ manifest: "damaged", faults })],
    [I2, there({ marked: true })],
  ] as const;
  const all = [F, I1, I2];
  expect(plan([source(F, [], true), source(I1), source(I2)], presences, all)).toMatchObject([
    { action: "repair", manifest: null, mark: true, files: ["index.tar.zst damaged"] },
    { action: "repair", manifest: "replace", files: ["index.tar.zst damaged"] },
    { action: "none", manifest: null, mark: false, files: [] },
  ]);
});

test("another backup of the same id stays, and what needs the one that should be there is not put", () => {
  const steps = plan(
    [source(F), source(I1, [F]), source(I2, [I1])],
    [[F, there({ manifest: "other" })]],
    [F],
  );
  expect(steps).toMatchObject([
    { id: F, action: "leave", reason: { kind: "other-backup" } },
    { id: I1, action: "leave", reason: { kind: "needs", backup: F } },
    { id: I2, action: "leave", reason: { kind: "needs", backup: I1 } },
  ]);
});

test("what a backup needs may be at the destination alone", () => {
  expect(plan([source(I1, [F])], [], [F])).toMatchObject([{ action: "copy" }]);
  expect(plan([source(I1, [F])], [], [])).toMatchObject([{ action: "leave", reason: { backup: F } }]);
});

test("what is there already is repaired even when what it needs is not: nothing gets worse", () => {
  const faults = new Map([["index.tar.zst", "missing" as const]]);
  expect(plan([source(I1, [F])], [[I1, there({ faults })]], [I1])).toMatchObject([{ action: "repair" }]);
});
