import { expect, it } from "vitest";

import { EXIT_STATUSES, exitStatusOf } from "../../../src/cli/exit-status.ts";
import { BackupError, type ErrorCode } from "../../../src/domain/errors.ts";

/** Scripts rely on these. That no code is forgotten is the compiler's business. */
const CONTRACT: Readonly<Record<ErrorCode, number>> = {
  USAGE: 2,
  SETTING_INVALID: 2,
  BROKER_UNREACHABLE: 4,
  BROKER_LOST: 4,
  BROKER_ALARM: 4,
  LOGIN_REFUSED: 4,
  VHOST_MISSING: 4,
  MANAGEMENT_UNREACHABLE: 4,
  MANAGEMENT_REFUSED: 4,
  QUEUE_MISSING: 1,
  QUEUE_LOCKED: 11,
  QUEUE_BUSY: 11,
  QUEUE_REFUSED: 1,
  QUEUE_UNSAFE: 30,
  QUEUE_UNREADABLE: 1,
  NO_QUEUE_SELECTED: 1,
  NO_MESSAGE_SELECTED: 1,
  PUBLISH_REFUSED: 1,
  PUBLISH_UNROUTABLE: 1,
  RESTORE_REFUSED: 30,
  READ_BACK_DIFFERS: 1,
  DRILL_DIFFERS: 20,
  TARGET_MISSING: 5,
  TARGET_REFUSED: 5,
  TARGET_FULL: 5,
  TARGET_FAILED: 5,
  OBJECT_MISSING: 20,
  OBJECT_EXISTS: 1,
  REPOSITORY_MISSING: 10,
  BACKUP_MISSING: 10,
  BACKUP_AMBIGUOUS: 10,
  FORMAT_NEWER: 1,
  MANIFEST_DAMAGED: 20,
  ARCHIVE_DAMAGED: 20,
  LEASE_HELD: 11,
  KEY_WRONG: 12,
  METRICS_FAILED: 3,
  INTERRUPTED: 130,
  INTERNAL: 1,
};

const codes = Object.keys(CONTRACT) as ErrorCode[];

it.each(codes)("%s keeps its exit status", (code) => {
  expect(exitStatusOf(new BackupError(code, "x"))).toBe(CONTRACT[code]);
});

it("has a meaning for every status it gives", () => {
  const known = EXIT_STATUSES.map(([status]) => status);
  for (const code of codes) expect(known).toContain(exitStatusOf(new BackupError(code, "x")));
});

it("takes an error without a code for a failure", () => expect(exitStatusOf(new TypeError("oops"))).toBe(1));
