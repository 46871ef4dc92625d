import { expect, test } from "vitest";
import { keepReason } from "../../../src/cli/keep-reason.ts";
import { parseBackupId } from "../../../src/domain/backup-id.ts";
import type { KeepReason } from "../../../src/domain/retention.ts";

const by = parseBackupId("20261101-020000F_20261122-020000I");

test.each<[KeepReason, string]>([
  [{ kind: "last", place: 1, of: 7 }, "last 1 of 7"],
  [{ kind: "hourly", period: "2026-11-20 14:00" }, "hourly 2026-11-20 14:00"],
  [{ kind: "weekly", period: "2026-W47" }, "weekly 2026-W47"],
  [{ kind: "within", ms: 14 * 86_400_000 }, "within 14 d"],
  [{ kind: "within", ms: 90 * 60_000 }, "within 90 m"],
  [{ kind: "full", place: 1, of: 2, chain: false }, "newest full 1 of 2"],
  [{ kind: "full", place: 2, of: 2, chain: true }, "chain of newest full 2 of 2"],
  [{ kind: "marked" }, "marked"],
  [{ kind: "locked", until: new Date("2026-12-24T18:00:00Z") }, "locked until 2026-12-24T18:00:00.000Z"],
  [{ kind: "locked", until: null }, "locked by a legal hold"],
  [{ kind: "future" }, "begun in the future"],
  [{ kind: "newest", complete: true }, "newest complete one of its set"],
  [{ kind: "newest", complete: false }, "newest of its set"],
  [{ kind: "needed", by, messages: 1200, others: 0 }, "20261122-020000I keeps 1,200 messages in it"],
  [{ kind: "needed", by, messages: 1, others: 1 }, "20261122-020000I keeps 1 message in it, as does 1 other"],
  [{ kind: "needed", by, messages: 2, others: 3 }, "20261122-020000I keeps 2 messages in it, as do 3 others"],
])("%j is said as: %s", (reason, text) => {
  expect(keepReason(reason)).toBe(text);
});
