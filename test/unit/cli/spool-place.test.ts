import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { spoolPlace } from "../../../src/cli/spool-place.ts";

test("volumes are built where it is said, else in the first target, else in a private directory", () => {
  const of = (spoolDir: string | null, ...target: string[]) => spoolPlace({ spoolDir, target });
  expect(of("/spool", "s3://b1b")).toEqual({ directory: "/spool", keepDirectory: true });
  expect(of(null, "/backups", "s3://b1b")).toEqual({ directory: "/backups/.spool" });
  expect(of(null, "s3://b1b", "/backups")).toEqual({
    directory: path.join(tmpdir(), `mqbackup-${userInfo().uid}`),
    mustBePrivate: true,
  });
  // The first one may be a target that is not there today.
  const [gone, there] = ["/nowhere/at/all", tmpdir()];
  expect(of(null, gone, "s3://b1b", there)).toEqual({ directory: path.join(there, ".spool") });
  expect(of(null, gone, "s3://b1b")).toEqual({ directory: path.join(gone, ".spool") });
});
