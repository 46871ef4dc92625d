import fc from "fast-check";
import { expect, test } from "vitest";
import {
  begunAt,
  chainOf,
  compareBackupIds,
  formatFullId,
  formatIncrementalId,
  isBackupId,
  kindOf,
  ownLabel,
  parseBackupId,
} from "../../../src/domain/backup-id.ts";

const dates = fc.date({ min: new Date("2000-01-01"), max: new Date("9999-12-31"), noInvalidDate: true });

test("the forms of ids", () => {
  const full = formatFullId(new Date("2026-11-21T19:32:00.999Z"));
  expect(full).toBe("20261121-193200F");
  const first = formatIncrementalId(full, new Date("2026-11-22T02:00:00Z"));
  expect(first).toBe("20261121-193200F_20261122-020000I");
  expect(formatIncrementalId(first, new Date("2026-11-23T02:00:00Z"))).toBe(
    "20261121-193200F_20261123-020000I",
  );
  expect(kindOf(full)).toBe("full");
  expect(kindOf(first)).toBe("incremental");
  expect(chainOf(first)).toBe(full);
  expect(chainOf(full)).toBe(full);
  expect(ownLabel(first)).toBe("20261122-020000I");
});

test("an id gives back the second it was made of", () => {
  fc.assert(
    fc.property(dates, dates, (a, b) => {
      const full = formatFullId(a);
      const incremental = formatIncrementalId(full, b);
      expect(begunAt(full).getTime()).toBe(Math.floor(a.getTime() / 1000) * 1000);
      expect(begunAt(incremental).getTime()).toBe(Math.floor(b.getTime() / 1000) * 1000);
      expect(parseBackupId(full)).toBe(full);
      expect(parseBackupId(incremental)).toBe(incremental);
    }),
  );
});

test("what is not an id", () => {
  const texts = [
    "",
    "latest",
    "20261121-193200",
    "20261121-193200f",
    "20261121-193200I",
    "20261121-193200F_20261122-020000F",
    "20261121-193200F_20261122-020000I_20261123-020000I",
    "20261321-193200F",
    "20260230-193200F",
    "20261121-243200F",
    "20261121-196000F",
    "20261121-193200F\n",
    " 20261121-193200F",
    "../20261121-193200F",
    "20261121-193200F/..",
    "２０２６1121-193200F",
  ];
  for (const text of texts) {
    expect(isBackupId(text), text).toBe(false);
    expect(() => parseBackupId(text)).toThrow(expect.objectContaining({ code: "BACKUP_MISSING" }));
  }
});

test("order is that of beginning, whatever the chain", () => {
  const ids = [
    "20261120-000000F",
    "20261121-000000F",
    "20261120-000000F_20261121-120000I",
    "20261122-000000F",
    "20261121-000000F_20261122-000000I",
    "20261120-000000F_20261123-000000I",
  ].map(parseBackupId);
  fc.assert(
    fc.property(fc.shuffledSubarray(ids, { minLength: ids.length }), (shuffled) => {
      expect(shuffled.toSorted(compareBackupIds)).toEqual(ids);
    }),
  );
});

test("text order keeps the backups of a chain together and in order", () => {
  fc.assert(
    fc.property(dates, fc.array(dates, { minLength: 2, maxLength: 5 }), (start, later) => {
      const full = formatFullId(start);
      const chain = later.map((at) => formatIncrementalId(full, at));
      for (const id of chain) expect(id.startsWith(full) && full < id).toBe(true);
      expect(chain.toSorted()).toEqual(chain.toSorted(compareBackupIds));
    }),
  );
});
