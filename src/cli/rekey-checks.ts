import { BackupError } from "../domain/errors.ts";
import type { RawSettings } from "./raw-settings.ts";
import type { SettingKey } from "./setting-table.ts";

/** Whether it is said, and once, who reads from now on, and what opens now. Throws SETTING_INVALID. */
export function checkRekey(raw: RawSettings): void {
  const given = (key: SettingKey): string | null => raw.get(key)?.origin ?? null;
  oneOf(given("passphrase"), given("passphraseFile"), "the passphrase");
  const passphrase = oneOf(given("newPassphrase"), given("newPassphraseFile"), "the new passphrase");
  const recipients = given("recipient") ?? given("recipientsFile");
  if (recipients !== null && passphrase !== null) {
    throw invalid(
      `${recipients} and ${passphrase} contradict each other`,
      "A backup is encrypted to recipients or to one passphrase: keep one of them.",
    );
  }
  if (recipients !== null || passphrase !== null) return;
  throw invalid(
    "who may read the backups from now on is not said",
    "Say it with --recipient, --recipients-file, --new-passphrase-file or MQBACKUP_NEW_PASSPHRASE.",
  );
}

function oneOf(one: string | null, other: string | null, what: string): string | null {
  if (one === null || other === null) return one ?? other;
  throw invalid(`${what} is given twice, by ${one} and by ${other}`, "Keep one of them.");
}

function invalid(message: string, hint: string): BackupError {
  return new BackupError("SETTING_INVALID", message, { hint });
}
