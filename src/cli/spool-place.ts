import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import { isS3Target } from "../domain/s3-location.ts";
import { isSftpTarget } from "../domain/sftp-location.ts";
import type { Settings } from "./settings-schema.ts";

export interface SpoolPlace {
  readonly directory: string;
  /** Somebody else's: it stays. */
  readonly keepDirectory?: boolean;
  /** Others may write beside it: it must be this user's alone. */
  readonly mustBePrivate?: boolean;
}

/** Volumes are built beside where they are kept, where that is a directory: then they are linked and not copied. */
export function spoolPlace({
  spoolDir,
  target: [first = "."],
}: Pick<Settings, "spoolDir" | "target">): SpoolPlace {
  if (spoolDir !== null) return { directory: spoolDir, keepDirectory: true };
  if (!isS3Target(first) && !isSftpTarget(first)) return { directory: path.join(first, ".spool") };
  return { directory: path.join(tmpdir(), `mqbackup-${userInfo().uid}`), mustBePrivate: true };
}
