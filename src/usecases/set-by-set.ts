import { hasCode, type BackupError } from "../domain/errors.ts";

/**
 * Does what is to be done for one set after another. A set that another run holds is left, and the others are done. Gives what was wrong
 * with the first that was left; null: none was. Throws any other failure at once.
 */
export async function setBySet(
  sets: Iterable<string>,
  work: (set: string) => Promise<void>,
): Promise<BackupError | null> {
  let held: BackupError | null = null;
  for (const set of sets) {
    try {
      await work(set);
    } catch (error) {
      if (!hasCode(error, "LEASE_HELD")) throw error;
      held ??= error;
    }
  }
  return held;
}
