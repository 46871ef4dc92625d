import { accessSync, constants } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import process from "node:process";
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

/**
 * Volumes are built beside where they are kept, where that is a directory: then they are linked and not copied. One that cannot be written
 * to may be a target the run goes on without: then it is the next directory.
 */
export function spoolPlace({
  spoolDir,
  target: [first = ".", ...others],
}: Pick<Settings, "spoolDir" | "target">): SpoolPlace {
  if (spoolDir !== null) return { directory: spoolDir, keepDirectory: true };
  if (isDirectory(first)) {
    const usable = [first, ...others].find((target) => isDirectory(target) && isWritable(target));
    return { directory: path.join(usable ?? first, ".spool") };
  }
  return { directory: path.join(tmpdir(), `mqbackup-${userId()}`), mustBePrivate: true };
}

/** Of a user whom the system does not know by name, too: as in a container. */
function userId(): number {
  return process.getuid?.() ?? userInfo().uid;
}

function isDirectory(target: string): boolean {
  return !isS3Target(target) && !isSftpTarget(target);
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
