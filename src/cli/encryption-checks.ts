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
  const hiding = settings.encryptNames ? given("encryptNames") : null;
  if (hiding !== null && recipients === null && secret === null) {
    throw new BackupError("SETTING_INVALID", `${hiding} hides nothing in a backup that is not encrypted`, {
      hint: "Say who may read it with --recipient, or give a passphrase.",
    });
  }
  if (hiding !== null && settings.set === null && settingEntry("set").commands.includes(command)) {
    throw new BackupError(
      "SETTING_INVALID",
      `${hiding} needs --set: the set that is made from cluster and virtual hosts names these`,
      { hint: "Name the set: its name is readable." },
    );
  }
  if (recipients === null || secret === null) return;
  throw new BackupError("SETTING_INVALID", `${recipients} and ${secret} contradict each other`, {
    hint: "A backup is encrypted to recipients or to one passphrase: keep one of them.",
  });
}
