import { homedir } from "node:os";
import path from "node:path";

/** Where programs keep what is theirs alone and not worth a backup. */
export function defaultStateDirectory(env: Readonly<Record<string, string | undefined>>): string {
  const base = env["XDG_STATE_HOME"] ?? "";
  return path.join(path.isAbsolute(base) ? base : path.join(homedir(), ".local", "state"), "mqbackup");
}
