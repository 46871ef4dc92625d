import { BackupError } from "../domain/errors.ts";
import { readConfigFile } from "./config-file.ts";
import {
  asList,
  defaultSettings,
  settingsFromEnvironment,
  settingsFromFlags,
  type RawSettings,
} from "./raw-settings.ts";
import { isMisplacedIdentity, isSecretKey } from "./key-texts.ts";
import type { CommandName } from "./setting-entry.ts";
import { checkSettings } from "./settings-checks.ts";
import { parseSettings, type Settings } from "./settings-schema.ts";
import { pathOf, secretsOf } from "./url-text.ts";
import { isSettingKey, type SettingKey } from "./setting-table.ts";

export interface SettingSources {
  readonly command: CommandName;
  /** As the command line parser gives them. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

export interface ResolvedSettings {
  readonly settings: Settings;
  /** As written, each with its origin; not fit to be seen. */
  readonly raw: RawSettings;
}

/**
 * Flags over environment over configuration file over defaults. `keepSecret` gets the texts nobody may see, before anything can be
 * wrong with them. Throws USAGE, SETTING_INVALID.
 */
export async function resolveSettings(
  sources: SettingSources,
  keepSecret: (text: string) => void,
): Promise<ResolvedSettings> {
  const flags = settingsFromFlags(sources.flags);
  const environment = settingsFromEnvironment(sources.env);
  const named = (flags.get("config") ?? environment.get("config"))?.value;
  const file = await readConfigFile(typeof named === "string" ? named : null, sources.cwd);
  const raw: RawSettings = new Map([...defaultSettings(), ...file, ...environment, ...flags]);
  for (const secret of [...secretsIn(raw), ...secretsOfAws(sources.env)]) keepSecret(secret);
  const settings = parsed(raw, sources.command);
  checkSettings(settings, raw, sources.command);
  return { settings, raw };
}

function parsed(raw: RawSettings, command: CommandName): Settings {
  const values = Object.fromEntries([...raw].map(([key, { value }]) => [key, value]));
  const result = parseSettings(values);
  if (!("why" in result)) return result;
  const origin = isSettingKey(result.key) ? raw.get(result.key)?.origin : undefined;
  throw new BackupError("SETTING_INVALID", `${origin ?? result.key}: ${result.why}`, {
    hint: `mqbackup ${command} --help describes its settings.`,
  });
}

const AWS_SECRETS = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];

/** Read by the S3 client itself, wherever a target is one of S3. */
function secretsOfAws(env: SettingSources["env"]): readonly string[] {
  return AWS_SECRETS.flatMap((name) => env[name] ?? []);
}

function secretsIn(raw: RawSettings): readonly string[] {
  const of = (key: SettingKey): readonly string[] => asList(raw.get(key)?.value ?? []);
  const urls = [...of("url"), ...of("managementUrl"), ...of("pingUrl"), ...of("target")];
  const everything = [...raw.values()].flatMap(({ value }) => asList(value));
  const misplaced = [...of("recipient").filter(isSecretKey), ...everything.filter(isMisplacedIdentity)];
  return [
    ...of("password"),
    ...of("passphrase"),
    ...of("newPassphrase"),
    ...misplaced,
    ...urls.flatMap(secretsOf),
    ...of("pingUrl").flatMap(pathOf),
  ];
}
