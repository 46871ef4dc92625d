import { expect, test } from "vitest";
import { backupTree, otherBase, type TreeBackup } from "../../../src/domain/backup-tree.ts";

const full = (id: string, set = "a"): TreeBackup => ({ id, kind: "full", base: null, set });
const incremental = (id: string, base: string, set = "a"): TreeBackup => ({
  id,
  kind: "incremental",
  base,
  set,
});

const F1 = "20261121-193200F";
const F2 = "20261122-193200F";

test("sets in alphabetical order, in them chains by age, below each its incrementals by age", () => {
  const early = incremental(`${F1}_20261121-200000I`, F1);
  // Made after the second full, on the first.
  const late = incremental(`${F1}_20261123-000000I`, early.id);
  const other = incremental(`${F2}_20261122-200000I`, F2);
  const tree = backupTree([full(F2), late, full("20261120-000000F", "b"), other, early, full(F1)]);
  expect(tree).toEqual([
    {
      set: "a",
      chains: [
        { chain: F1, full: full(F1), incrementals: [early, late] },
        { chain: F2, full: full(F2), incrementals: [other] },
      ],
    },
    {
      set: "b",
      chains: [{ chain: "20261120-000000F", full: full("20261120-000000F", "b"), incrementals: [] }],
    },
  ]);
});

test("incrementals without their full are a chain all the same", () => {
  const left = incremental(`${F1}_20261121-200000I`, F1);
  expect(backupTree([left])).toEqual([
    { set: "a", chains: [{ chain: F1, full: null, incrementals: [left] }] },
  ]);
  expect(backupTree([])).toEqual([]);
});

test("a base is told when it is not the backup before", () => {
  const first = incremental(`${F1}_20261121-200000I`, F1);
  const second = incremental(`${F1}_20261121-210000I`, F1);
  expect(otherBase(full(F1), null)).toBeNull();
  expect(otherBase(first, full(F1))).toBeNull();
  expect(otherBase(second, first)).toBe(F1);
  expect(otherBase(incremental(`${F1}_20261121-220000I`, first.id), null)).toBe("20261121-200000I");
});
