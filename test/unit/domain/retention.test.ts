import { describe, expect, test } from "vitest";
import { kindOf, parseBackupId, type BackupId } from "../../../src/domain/backup-id.ts";
import { planRetention, type KeepReason, type RetentionBackup } from "../../../src/domain/retention.ts";
import { isEmptyPolicy, type RetentionPolicy } from "../../../src/domain/retention-policy.ts";
import { periodOf, type Period } from "../../../src/domain/retention-periods.ts";

const NOW = new Date("2026-11-30T12:00:00Z");
const NOTHING: RetentionPolicy = {
  last: null,
  periods: { hourly: null, daily: null, weekly: null, monthly: null, yearly: null },
  withinMs: null,
  full: null,
};
const HOUR = 3_600_000;

interface Given {
  readonly id: BackupId;
  readonly more: Partial<RetentionBackup>;
}

/** `kept`: of which others it needs how many messages. */
function backup(text: string, more: Partial<RetentionBackup> = {}): Given {
  return { id: parseBackupId(text), more };
}

/** Full backups begun at these times. */
function fulls(...times: readonly string[]): Given[] {
  return times.map((time) => backup(`${time.replaceAll(/[-:]/g, "").replace("T", "-").slice(0, 15)}F`));
}

function needs(...ids: readonly string[]): Partial<RetentionBackup> {
  return { kept: new Map(ids.map((id, at) => [parseBackupId(id), at + 1])) };
}

function toBackup({ id, more }: Given): RetentionBackup {
  const [, y, mo, d, h, mi, s] = /(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d).$/.exec(id) ?? [];
  const startedAt = new Date(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
  const whole = { marked: false, complete: true, kept: new Map<BackupId, number>() };
  return { id, kind: kindOf(id), set: "nightly", startedAt, ...whole, ...more };
}

function plan(given: readonly Given[], policy: Partial<RetentionPolicy>, set: string | null = null) {
  return planRetention(given.map(toBackup), { ...NOTHING, ...policy }, { set, now: NOW });
}

/** The reasons by backup, of those that are kept. */
function kept(given: readonly Given[], policy: Partial<RetentionPolicy>, set: string | null = null) {
  const judged = plan(given, policy, set).sets.flatMap(({ backups }) => backups);
  return Object.fromEntries(
    judged.flatMap(({ backup: { id }, reasons }) =>
      reasons.length === 0 ? [] : [[id, reasons.map(inWords).join(", ")]],
    ),
  );
}

function inWords(reason: KeepReason): string {
  switch (reason.kind) {
    case "last":
      return `last ${reason.place}/${reason.of}`;
    case "full":
      return `full ${reason.place}/${reason.of}${reason.chain ? " chain" : ""}`;
    case "newest":
      return reason.complete ? "newest complete" : "newest";
    case "needed":
      return `${reason.by} ${reason.messages} +${reason.others}`;
    case "within":
    case "marked":
    case "future":
    case "locked":
      return reason.kind;
    default:
      return reason.period;
  }
}

function periods(part: Partial<Record<Period, number>>): Partial<RetentionPolicy> {
  return { periods: { ...NOTHING.periods, ...part } };
}

describe("periods are those of UTC:", () => {
  test.each<[Period, string, string]>([
    ["hourly", "2026-11-20T14:59:59.999Z", "2026-11-20 14:00"],
    ["daily", "2026-11-20T23:59:59.999Z", "2026-11-20"],
    ["monthly", "2026-11-30T23:59:59.999Z", "2026-11"],
    ["yearly", "2026-12-31T23:59:59.999Z", "2026"],
    ["weekly", "2026-11-22T23:59:59.999Z", "2026-W47"],
    ["weekly", "2026-11-23T00:00:00.000Z", "2026-W48"],
    // Years of 53 weeks, and days that belong to the week of another year.
    ["weekly", "2021-01-03T12:00:00Z", "2020-W53"],
    ["weekly", "2021-01-04T00:00:00Z", "2021-W01"],
    ["weekly", "2024-12-30T00:00:00Z", "2025-W01"],
    ["weekly", "2025-12-28T23:59:59Z", "2025-W52"],
    ["weekly", "2026-12-31T00:00:00Z", "2026-W53"],
    ["weekly", "2027-01-03T23:59:59Z", "2026-W53"],
    ["weekly", "2023-01-01T00:00:00Z", "2022-W52"],
    ["weekly", "2024-01-01T00:00:00Z", "2024-W01"],
  ])("%s of %s is %s", (period, at, expected) => {
    expect(periodOf(period, new Date(at))).toBe(expected);
  });
});

describe("the policy", () => {
  const days = fulls(
    "2024-12-31T02:00:00",
    "2025-12-31T02:00:00",
    "2026-10-31T02:00:00",
    "2026-11-01T02:00:00",
    "2026-11-28T02:00:00",
    "2026-11-29T02:00:00",
    "2026-11-29T14:10:00",
    "2026-11-29T14:50:00",
    "2026-11-30T02:00:00",
  );

  test.each<[string, Partial<RetentionPolicy>, Record<string, string>]>([
    ["the last one", { last: 1 }, { "20261130-020000F": "last 1/1" }],
    [
      "the last three",
      { last: 3 },
      { "20261130-020000F": "last 1/3", "20261129-145000F": "last 2/3", "20261129-141000F": "last 3/3" },
    ],
    [
      "more than there are",
      { last: 100 },
      Object.fromEntries(days.map(({ id }, at) => [id, `last ${9 - at}/100`])),
    ],
    [
      "the newest of each hour",
      periods({ hourly: 3 }),
      {
        "20261130-020000F": "2026-11-30 02:00",
        "20261129-145000F": "2026-11-29 14:00",
        "20261129-020000F": "2026-11-29 02:00",
      },
    ],
    [
      "the newest of each day, days without a backup not counted",
      periods({ daily: 4 }),
      {
        "20261130-020000F": "2026-11-30",
        "20261129-145000F": "2026-11-29",
        "20261128-020000F": "2026-11-28",
        "20261101-020000F": "2026-11-01",
      },
    ],
    [
      "the newest of each week",
      periods({ weekly: 3 }),
      {
        "20261130-020000F": "2026-W49",
        "20261129-145000F": "2026-W48",
        "20261101-020000F": "2026-W44",
      },
    ],
    [
      "the newest of each month",
      periods({ monthly: 3 }),
      {
        "20261130-020000F": "2026-11",
        "20261031-020000F": "2026-10",
        "20251231-020000F": "2025-12",
      },
    ],
    [
      "the newest of each year, and no more than there are",
      periods({ yearly: 10 }),
      { "20261130-020000F": "2026", "20251231-020000F": "2025", "20241231-020000F": "2024" },
    ],
    [
      "what is within a time of the newest, the first moment of it too",
      { withinMs: 24 * HOUR },
      {
        "20261129-020000F": "within",
        "20261129-141000F": "within",
        "20261129-145000F": "within",
        "20261130-020000F": "within",
      },
    ],
    [
      "what is within less",
      { withinMs: 24 * HOUR - 1 },
      {
        "20261129-141000F": "within",
        "20261129-145000F": "within",
        "20261130-020000F": "within",
      },
    ],
    [
      "by several rules at once, with every reason",
      { last: 1, ...periods({ daily: 2, yearly: 2 }), withinMs: HOUR },
      {
        "20261130-020000F": "last 1/1, 2026-11-30, 2026, within",
        "20261129-145000F": "2026-11-29",
        "20251231-020000F": "2025",
      },
    ],
    ["the newest fulls", { full: 2 }, { "20261130-020000F": "full 1/2", "20261129-145000F": "full 2/2" }],
    ["nothing but the newest, whatever is not asked for", {}, { "20261130-020000F": "newest complete" }],
  ])("keeps %s", (_what, policy, expected) => {
    expect(kept(days, policy)).toEqual(expected);
  });

  test("within is counted from the newest backup: those of a set that stopped stay", () => {
    const old = fulls("2020-01-01T00:00:00", "2020-01-09T00:00:00", "2020-01-10T00:00:00");
    expect(Object.keys(kept(old, { withinMs: 48 * HOUR }))).toEqual(["20200109-000000F", "20200110-000000F"]);
  });

  test("is empty when nothing of it is given", () => {
    expect(isEmptyPolicy(NOTHING)).toBe(true);
    for (const part of [
      { last: 1 },
      periods({ hourly: 1 }),
      periods({ yearly: 1 }),
      { withinMs: 1 },
      { full: 1 },
    ])
      expect(isEmptyPolicy({ ...NOTHING, ...part })).toBe(false);
  });
});

const F1 = "20261101-020000F";
const I1 = `${F1}_20261102-020000I`;
const I2 = `${F1}_20261103-020000I`;
const F2 = "20261108-020000F";
const I3 = `${F2}_20261109-020000I`;
const I4 = `${F2}_20261110-020000I`;

const CHAINS = [
  backup(F1),
  backup(I1, needs(F1)),
  backup(I2, needs(F1, I1)),
  backup(F2),
  backup(I3, needs(F2)),
  backup(I4, needs(F2, I3)),
];

describe("chains", () => {
  test.each<[string, readonly Given[], Partial<RetentionPolicy>, Record<string, string>]>([
    [
      "the newest full and all of its chain",
      CHAINS,
      { full: 1 },
      { [F2]: "full 1/1", [I3]: "full 1/1 chain", [I4]: "full 1/1 chain" },
    ],
    [
      "what the last one needs, with so many messages",
      CHAINS,
      { last: 1 },
      { [I4]: "last 1/1", [F2]: `${I4} 1 +1`, [I3]: `${I4} 2 +0` },
    ],
    [
      "what that needs which is only kept because it is needed",
      [backup(F1), backup(I1, needs(F1)), backup(I2, needs(I1))],
      { last: 1 },
      { [I2]: "last 1/1", [I1]: `${I2} 1 +0`, [F1]: `${I1} 1 +0` },
    ],
    [
      "no base that nothing is left of",
      [backup(F1), backup(I1, needs(F1)), backup(I2, needs(F1))],
      { last: 1 },
      { [I2]: "last 1/1", [F1]: `${I2} 1 +0` },
    ],
    [
      "no full that nothing is left of",
      [backup(F1), backup(I1), backup(I2, needs(I1))],
      { last: 1 },
      { [I2]: "last 1/1", [I1]: `${I2} 1 +0` },
    ],
    [
      "the reason of its own alone, where there is one",
      CHAINS,
      { last: 2 },
      { [I4]: "last 1/2", [I3]: "last 2/2", [F2]: `${I4} 1 +1` },
    ],
    [
      "what needs one that is not there",
      [backup(I1, needs(F1)), backup(F2)],
      { last: 2 },
      { [I1]: "last 2/2", [F2]: "last 1/2" },
    ],
  ])("keeps %s", (_what, given, policy, expected) => {
    expect(kept(given, policy)).toEqual(expected);
  });

  test("go from their end, so that none that is there needs one that is gone", () => {
    const { removals } = plan([...CHAINS, ...fulls("2026-11-20T00:00:00")], { last: 1 });
    expect(removals.map(({ id }) => id)).toEqual([I4, I3, F2, I2, I1, F1]);
  });

  test("go from their end also where a clock was set back between", () => {
    const early = `${F2}_20261107-020000I`;
    const given = [backup(F2), backup(early, needs(F2)), ...fulls("2026-11-20T00:00:00")];
    expect(plan(given, { last: 1 }).removals.map(({ id }) => id)).toEqual([early, F2]);
  });
});

describe("whatever the policy,", () => {
  const [old, newer, newest] = fulls("2026-11-01T00:00:00", "2026-11-02T00:00:00", "2026-11-03T00:00:00");
  if (old === undefined || newer === undefined || newest === undefined) throw new Error("three are needed");

  test("a marked one stays, and what it needs", () => {
    const marked = backup(I1, { ...needs(F1), marked: true });
    const given = [backup(F1), marked, ...fulls("2026-11-20T00:00:00")];
    expect(kept(given, { last: 1 })).toEqual({
      "20261120-000000F": "last 1/1",
      [I1]: "marked",
      [F1]: `${I1} 1 +0`,
    });
  });

  test("the newest complete one stays, where newer ones are not", () => {
    const given = [old, newer, { ...newest, more: { complete: false } }];
    expect(kept(given, { last: 1 })).toEqual({ [newest.id]: "last 1/1", [newer.id]: "newest complete" });
  });

  test("the newest stays where none is complete", () => {
    const given = [old, newer].map(({ id }) => ({
      id,
      more: { complete: false, kind: "incremental" as const },
    }));
    expect(kept(given, { full: 1 })).toEqual({ [newer.id]: "newest" });
  });

  test("one from the future stays, and takes nobody's place", () => {
    const given = [old, newer, ...fulls("2099-01-01T00:00:00")];
    expect(kept(given, { last: 1, withinMs: HOUR })).toEqual({
      [newer.id]: "last 1/1, within",
      "20990101-000000F": "future",
    });
  });

  test("all stay where the clock of whoever prunes is wrong", () => {
    const given = fulls("2027-01-01T00:00:00", "2027-01-02T00:00:00", "2027-01-03T00:00:00");
    expect(plan(given, { last: 1, withinMs: HOUR }).removals).toEqual([]);
  });
});

describe("clocks:", () => {
  const at = (text: string): Partial<RetentionBackup> => ({ startedAt: new Date(text) });

  test("one that was set back makes no backup older than those its chain began with", () => {
    const back = backup(`${F2}_20261108-020001I`, { ...needs(F2), ...at("1970-01-01T00:00:00Z") });
    const given = [backup(F1), backup(F2), back];
    expect(kept(given, { last: 1 })).toEqual({ [back.id]: "last 1/1", [F2]: `${back.id} 1 +0` });
    expect(kept(given, { withinMs: HOUR })).toEqual({ [back.id]: "within", [F2]: "within" });
    expect(kept([...given].toReversed(), periods({ daily: 1 }))).toEqual({
      [back.id]: "2026-11-08",
      [F2]: `${back.id} 1 +0`,
    });
  });

  test("one that was ahead and put right does not keep all that came after it", () => {
    const ahead = backup(`${F2}_20280101-000000I`, needs(F2));
    const after = ["01", "02", "03"].map((second, n) =>
      backup(`${F2}_20280101-0000${second}I`, { ...needs(F2), ...at(`2026-11-1${n}T02:00:00Z`) }),
    );
    expect(kept([backup(F2), ahead, ...after], { last: 1 })).toEqual({
      [ahead.id]: "future",
      [`${F2}_20280101-000003I`]: "last 1/1",
      [F2]: `${ahead.id} 1 +1`,
    });
  });
});

describe("sets", () => {
  const other = (given: Given): Given => ({ ...given, more: { ...given.more, set: "hourly" } });
  const given = [
    ...fulls("2026-11-01T00:00:00", "2026-11-02T00:00:00"),
    ...fulls("2026-11-01T01:00:00", "2026-11-02T01:00:00").map(other),
  ];

  test("are judged each by itself", () => {
    expect(plan(given, { last: 1 }).sets.map(({ set }) => set)).toEqual(["hourly", "nightly"]);
    expect(kept(given, { last: 1 })).toEqual({
      "20261102-000000F": "last 1/1",
      "20261102-010000F": "last 1/1",
    });
  });

  test("but the one asked for are left alone", () => {
    const { sets, removals } = plan(given, { last: 1 }, "nightly");
    expect(sets.map(({ set }) => set)).toEqual(["nightly"]);
    expect(removals.map(({ id }) => id)).toEqual(["20261101-000000F"]);
    expect(plan(given, { last: 1 }, "weekly")).toEqual({ sets: [], removals: [] });
  });

  test("keep what a backup of another set needs", () => {
    const needing = other(backup(I1, needs(F1)));
    const both = [backup(F1), needing, ...fulls("2026-11-20T00:00:00")];
    expect(kept(both, { last: 1 }, "nightly")).toEqual({
      [F1]: `${I1} 1 +0`,
      "20261120-000000F": "last 1/1",
    });
  });
});
