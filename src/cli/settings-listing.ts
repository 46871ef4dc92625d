import { isMisplacedIdentity } from "./key-texts.ts";
import { asList, type RawSettings } from "./raw-settings.ts";
import { SETTING_KEYS, settingEntry, type SettingKey } from "./setting-table.ts";
import { maskPath, maskUrl } from "./url-text.ts";

export interface ListedSetting {
  readonly name: SettingKey;
  /** Fit to be seen; null: not set. */
  readonly value: string | readonly string[] | null;
  /** null: not set. */
  readonly origin: string | null;
}

/** Every setting, secrets masked. */
export function listSettings(raw: RawSettings): readonly ListedSetting[] {
  return SETTING_KEYS.map((name) => {
    const setting = raw.get(name);
    if (setting === undefined) return { name, value: null, origin: null };
    return { name, value: masked(name, setting.value), origin: setting.origin };
  });
}

function masked(name: SettingKey, value: string | readonly string[]): string | readonly string[] {
  const { kind, secret } = settingEntry(name);
  if (secret) return "***";
  if (name === "pingUrl") return maskPath(String(value));
  if (kind !== "list") return isMisplacedIdentity(String(value)) ? "***" : value;
  return asList(value).map((text) => (isMisplacedIdentity(text) ? "***" : maskUrl(text)));
}
