import { homedir } from "node:os";
import path from "node:path";

/** Where programs keep what is theirs alone and not worth a backup. */
export function defaultStateDirectory(env: Readonly<Record<string, string | undefined>>): string {
  const base = env["XDG_STATE_HOME"] ?? "";
  return path.join(path.isAbsolute(base) ? base : path.join(home(), ".local", "state"), "mqbackup");
}

/** A user whom the system does not know has none: nothing can be kept there. */
function home(): string {
  try {
    return homedir();
  } catch {
    return path.sep;
  }
}
