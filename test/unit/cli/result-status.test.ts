import { describe, expect, it } from "vitest";

import {
  backupStatus,
  checkStatus,
  copyStatus,
  drillStatus,
  listStatus,
  restoreStatus,
  verifyStatus,
} from "../../../src/cli/result-status.ts";
import { BackupError, type ErrorCode } from "../../../src/domain/errors.ts";
import type { Finding, Severity } from "../../../src/domain/findings.ts";
import type { BackupResult } from "../../../src/usecases/backup-types.ts";
import type { CheckResult } from "../../../src/usecases/check.ts";
import type { CopyResult } from "../../../src/usecases/copy-types.ts";
import type { DrilledQueue, DrillResult } from "../../../src/usecases/drill-types.ts";
import type { Listing } from "../../../src/usecases/list.ts";
import type { RestoredQueue, RestoreResult } from "../../../src/usecases/restore-types.ts";

const readable = { recipe: { kind: "stream", from: "first" } };
const unsafe = { recipe: null };

function failure(code: ErrorCode): BackupError {
  return new BackupError(code, "x");
}

describe("backupStatus", () => {
  const of = (part: object, dryRun = false) =>
    backupStatus(
      {
        verdicts: [readable],
        partial: false,
        failure: null,
        targets: [],
        ...part,
      } as unknown as BackupResult,
      dryRun,
    );

  it("tells whole, partial and interrupted backups apart", () => {
    expect(of({})).toBe(0);
    expect(of({ partial: true })).toBe(3);
    expect(of({ targets: [{ error: null }, { error: null }] })).toBe(0);
    expect(of({ targets: [{ error: null }, { error: failure("TARGET_FULL") }] })).toBe(3);
    expect(of({ failure: failure("BROKER_LOST") })).toBe(3);
    expect(of({ failure: failure("INTERRUPTED") })).toBe(130);
  });

  it("says after a dry run what a run would say", () => {
    expect(of({ verdicts: [readable, readable] }, true)).toBe(0);
    expect(of({ verdicts: [readable, unsafe], partial: true }, true)).toBe(3);
    expect(of({ verdicts: [unsafe, unsafe], partial: true }, true)).toBe(30);
  });
});

it("checkStatus counts a queue this user may not read with the unsafe ones", () => {
  const of = (...queues: readonly object[]) => checkStatus({ queues } as unknown as CheckResult);
  const refused = { ...readable, refusal: failure("QUEUE_REFUSED") };
  expect(of({ ...readable, refusal: null })).toBe(0);
  expect(of({ ...readable, refusal: null }, refused)).toBe(3);
  expect(of(refused, { ...unsafe, refusal: null })).toBe(30);
});

describe("restoreStatus", () => {
  const whole = { outcome: "restored", short: 0, readBack: null };
  const of = (part: object, queues: readonly Partial<RestoredQueue>[] = []) =>
    restoreStatus({
      dryRun: false,
      plan: { queues: [], left: [], refusals: [] },
      failure: null,
      queues: queues.map((queue) => ({ ...whole, ...queue })),
      ...part,
    } as unknown as RestoreResult);

  it("is 0 only when every message is back", () => {
    expect(of({}, [{}])).toBe(0);
    expect(of({}, [{ short: 1 }])).toBe(3);
    expect(of({}, [{ readBack: { kind: "unread", why: "x" } }])).toBe(3);
    expect(of({ plan: { queues: [], left: [{}], refusals: [] } }, [{}])).toBe(3);
    expect(of({ plan: { queues: [{ source: { outcome: "partial" } }], left: [], refusals: [] } }, [{}])).toBe(
      3,
    );
  });

  it("gives the failure's own status unless something was restored", () => {
    expect(of({ failure: failure("BROKER_LOST") }, [{ outcome: "failed" }])).toBe(4);
    expect(of({ failure: failure("BROKER_LOST") }, [{ outcome: "failed" }, {}])).toBe(3);
    expect(of({ failure: failure("INTERRUPTED") }, [{ outcome: "interrupted" }, {}])).toBe(130);
  });

  it("is a refusal when the plan has one", () => {
    expect(of({ dryRun: true, plan: { queues: [], left: [], refusals: [{}] } })).toBe(30);
  });
});

it("listStatus is partial when a manifest cannot be read", () => {
  const of = (damaged: readonly object[]) => listStatus({ damaged } as unknown as Listing);
  expect([of([]), of([{}])]).toEqual([0, 3]);
});

it("verifyStatus tells damage, what was not seen, and mere notes apart", () => {
  const of = (...severities: readonly Severity[]) =>
    verifyStatus(severities.map((severity) => ({ severity }) as unknown as Finding));
  expect([of(), of("note"), of("note", "unverified"), of("unverified", "damage")]).toEqual([0, 0, 3, 20]);
});

describe("drillStatus", () => {
  const definitions = { exchanges: 0, bindings: 0, refused: [] };
  const proven = { outcome: "proven", partial: false };
  const of = (part: object, queues: readonly Partial<DrilledQueue>[] = [{}]) =>
    drillStatus({
      failure: null,
      left: [],
      notRemoved: [],
      definitions,
      queues: queues.map((queue) => ({ ...proven, ...queue })),
      ...part,
    } as unknown as DrillResult);

  it("is 0 only when everything was proven and removed again", () => {
    expect(of({})).toBe(0);
    expect(of({}, [{}, { outcome: "not-drilled" }])).toBe(3);
    expect(of({}, [{ outcome: "not-drilled" }])).toBe(3);
    expect(of({}, [{ partial: true }])).toBe(3);
    expect(of({ left: [{}] })).toBe(3);
    expect(of({ notRemoved: [{}] })).toBe(3);
    expect(of({ definitions: { ...definitions, refused: [{}] } })).toBe(3);
  });

  it.each([
    ["DRILL_DIFFERS", 20],
    ["ARCHIVE_DAMAGED", 20],
    ["INTERRUPTED", 130],
    ["BROKER_LOST", 4],
  ] as const)("of %s is %i", (code, status) => {
    expect(of({ failure: failure(code) }, [{}, { outcome: "differs" }])).toBe(status);
  });
});

describe("copyStatus", () => {
  const of = (destinations: readonly object[], unusable: readonly object[] = []) =>
    copyStatus({ destinations, unusable } as unknown as CopyResult);
  const to = (code: ErrorCode | null, ...left: readonly (object | null)[]) => ({
    failure: code === null ? null : failure(code),
    backups: left.map((reason) => ({ left: reason })),
  });

  it("tells what failed, what is damaged and what was left", () => {
    expect(of([to(null), to(null, null, null)])).toBe(0);
    expect(of([to(null, null, { kind: "needs" })])).toBe(3);
    expect(of([to(null, { kind: "source", damaged: false })])).toBe(3);
    expect(of([to(null, { kind: "source", damaged: true }, { kind: "needs" })])).toBe(20);
    expect(of([to(null)], [{ damage: failure("MANIFEST_DAMAGED") }])).toBe(20);
    expect(of([to(null)], [{ damage: failure("FORMAT_NEWER") }])).toBe(3);
    expect(of([to(null, { kind: "source", damaged: true }), to("TARGET_FULL")])).toBe(5);
    expect(of([to("LEASE_HELD"), to("INTERRUPTED")])).toBe(130);
  });
});
