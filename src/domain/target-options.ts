import { BackupError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/**
 * What the query of a target's URL says: each option at most once, with a value. `where` is the target as it may be shown.
 * Throws SETTING_INVALID.
 */
export function targetOptions<Option extends string>(
  query: string,
  where: string,
  options: readonly Option[],
): ReadonlyMap<Option, string> {
  const found = new Map<Option, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    const option = options.find((known) => known === name);
    if (option === undefined) {
      const meant = nearest(name, options);
      throw invalid(
        `target ${where} has an unknown option ${/^[\w-]{1,30}$/.test(name) ? `${name}=` : "in its query"}`,
        `${meant === null ? "" : `Did you mean ${meant}=? `}Known are ${options.join(", ")}.`,
      );
    }
    if (found.has(option)) throw invalid(`target ${where} has ${name}= twice`, "Keep one of them.");
    if (value === "")
      throw invalid(`${name}= of target ${where} is empty`, "Give it a value, or leave it away.");
    found.set(option, value);
  }
  return found;
}

function invalid(message: string, hint: string): BackupError {
  return new BackupError("SETTING_INVALID", message, { hint });
}
