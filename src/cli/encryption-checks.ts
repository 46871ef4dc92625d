import { BackupError } from "../domain/errors.ts";
import type { RawSettings } from "./raw-settings.ts";
import type { CommandName } from "./setting-entry.ts";
import { settingEntry, type SettingKey } from "./setting-table.ts";
import type { Settings } from "./settings-schema.ts";

/** Whether what is said of recipients and passphrases goes together. Throws SETTING_INVALID. */
export function checkEncryption(settings: Settings, raw: RawSettings, command: CommandName): void {
  const given = (key: SettingKey): string | null => {
    const isOfCommand = settingEntry(key).commands.includes(command);
    return isOfCommand ? (raw.get(key)?.origin ?? null) : null;
  };
  const [passphrase, passphraseFile] = [given("passphrase"), given("passphraseFile")];
  if (passphrase !== null && passphraseFile !== null) {
    throw new BackupError(
      "SETTING_INVALID",
      `the passphrase is given twice, by ${passphrase} and by ${passphraseFile}`,
      { hint: "Keep one of them." },
    );
  }
  const recipients = given("recipient") ?? given("recipientsFile");
  const secret = passphrase ?? passphraseFile;
  if (recipients === null || secret === null) return;
  throw new BackupError("SETTING_INVALID", `${recipients} and ${secret} contradict each other`, {
    hint: "A backup is encrypted to recipients or to one passphrase: keep one of them.",
  });
}
