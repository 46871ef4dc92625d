import { isS3Target, parseS3Location } from "../domain/s3-location.ts";
import { isSftpTarget, parseSftpLocation } from "../domain/sftp-location.ts";
import { isEmptyPolicy } from "../domain/retention-policy.ts";
import { BackupError } from "../domain/errors.ts";
import { checkEncryption } from "./encryption-checks.ts";
import { checkRekey } from "./rekey-checks.ts";
import type { RawSettings } from "./raw-settings.ts";
import { retentionPolicy } from "./requests.ts";
import type { CommandName } from "./setting-entry.ts";
import { formatBytes } from "./units.ts";
import { flagOf, settingEntry, variableOf, type SettingKey } from "./setting-table.ts";
import type { Settings } from "./settings-schema.ts";

/** What one setting alone cannot tell: whether they go together, and whether the command has what it needs. Throws SETTING_INVALID. */
export function checkSettings(settings: Settings, raw: RawSettings, command: CommandName): void {
  const targets = settings.target.map(canonicalTarget);
  if (settings.printSettings) return;
  if (settingEntry("target").commands.includes(command)) checkTargets(targets, command);
  if (settingEntry("url").commands.includes(command)) checkBroker(settings, raw);
  if (settingEntry("queueType").commands.includes(command)) checkQueues(settings, raw);
  if (settingEntry("fromSeq").commands.includes(command)) checkRange(settings, raw);
  if (settings.lockMode !== null && settings.lockDays === null) {
    const origin = raw.get("lockMode")?.origin;
    throw invalid(`${origin} says how to lock, but not for how long`, "Say it with --lock-days.");
  }
  if (settingEntry("spoolMax").commands.includes(command)) {
    checkSpool(settings, raw);
    checkCopies(settings, raw);
  }
  if (command === "rekey") checkRekey(raw);
  else checkEncryption(settings, raw, command);
  if (command === "verify") checkLevel(settings, raw);
  if (command === "drill") checkDrill(settings);
  if (command === "prune" && isEmptyPolicy(retentionPolicy(settings))) {
    throw invalid(
      "what prune shall keep is not said",
      "Give one or more of --keep-last, --keep-hourly, --keep-daily, --keep-weekly, --keep-monthly, --keep-yearly, --keep-within and --keep-full.",
    );
  }
  if (command === "restore") checkReplay(settings, raw);
  if ((command === "restore" || command === "drill") && settings.id === null) {
    throw missing(
      "id",
      `which backup to ${command === "drill" ? "drill" : "restore"} is not said`,
      "for instance --id latest; mqbackup list shows what there is",
    );
  }
}

/** Two ways of writing one target become one. Throws for a target nobody can use. */
function canonicalTarget(target: string): string {
  if (isS3Target(target)) return parseS3Location(target).text;
  if (isSftpTarget(target)) return parseSftpLocation(target).text;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(target)?.[1];
  if (scheme === undefined) return target;
  throw invalid(
    `target ${scheme}://... is not supported by this version`,
    "Name a directory, for instance one on a mounted file system, s3://bucket/prefix or sftp://user@host/path.",
  );
}

function checkTargets(target: readonly string[], command: CommandName): void {
  if (target.length === 0)
    throw missing("target", "no target is given", `for instance --target /var/backups/rabbitmq`);
  const twice = target.find((each, at) => target.indexOf(each) !== at);
  if (command === "copy" && target.length === 1) {
    throw invalid(
      "copy needs two targets or more, and got one",
      "Name first where backups are copied from, then where they are copied to: --target <from> --target <to>.",
    );
  }
  if (
    ["full", "incremental", "compact", "copy", "rekey", "prune", "mark", "unmark"].includes(command) &&
    twice !== undefined
  )
    throw invalid(`target ${twice} is given twice`, "Name each target once.");
}

function checkBroker(settings: Settings, raw: RawSettings): void {
  const { tlsCert, tlsKey, auth, password, passwordFile, url } = settings;
  if ((tlsCert === null) !== (tlsKey === null)) {
    throw invalid(
      "a TLS client certificate and its key come together",
      "Give both --tls-cert and --tls-key.",
    );
  }
  if (auth === "external" && (tlsCert === null || url.some((each) => !each.startsWith("amqps:")))) {
    throw invalid(
      "--auth external needs amqps:// and a client certificate",
      "Give --tls-cert and --tls-key, and amqps:// in --url.",
    );
  }
  if (password !== null && passwordFile !== null) {
    const [one, other] = [raw.get("password")?.origin, raw.get("passwordFile")?.origin];
    throw invalid(`the password is given twice, by ${one} and by ${other}`, "Keep one of them.");
  }
}

function checkDrill({ managementUrl, auth, url }: Settings): void {
  if (managementUrl.includes("none")) {
    throw invalid(
      "a drill makes a virtual host, which only the management API can do",
      "Leave --management-url none away, or name the management API.",
    );
  }
  if (auth === "external" && url.some((each) => new URL(each).username === "")) {
    throw invalid(
      "a drill has to know which user gets the permissions in its virtual host",
      "Name the user of the certificate in the URL: amqps://user@host.",
    );
  }
}

function checkQueues(settings: Settings, raw: RawSettings): void {
  if (settings.allVhosts && settings.vhost.length > 0) {
    throw invalid("--all-vhosts and --vhost contradict each other", "Keep one of them.");
  }
  const told = (["queueType", "deliveryLimit"] as const).find((key) => settings[key] !== null);
  if (told !== undefined && !settings.managementUrl.includes("none")) {
    throw invalid(
      `${raw.get(told)?.origin ?? told} is only for use without the management API, which tells it`,
      "Leave it away, or say --management-url none.",
    );
  }
}

/** What goes to its origin goes into no queue of ours: what speaks of one would have no effect. */
function checkReplay(settings: Settings, raw: RawSettings): void {
  const said = (key: SettingKey): string | null => {
    const origin = raw.get(key)?.origin ?? "default";
    return origin === "default" ? null : origin;
  };
  if (!settings.toOrigin) {
    const death = said("deathHeader");
    if (death === null) return;
    throw invalid(`${death} is only for use with --to-origin`, "Leave it away, or say --to-origin.");
  }
  const other = [
    said("route"),
    settings.map.length > 0 ? said("map") : null,
    settings.append ? said("append") : null,
    settings.readBack ? said("readBack") : null,
    settings.definitions === "missing" ? said("definitions") : null,
  ].find((origin) => origin !== null);
  if (other === undefined) return;
  throw invalid(
    `${said("toOrigin")} and ${other} contradict each other`,
    "With --to-origin each message goes to the exchange it once came from, and into no queue by name.",
  );
}

function checkSpool({ spoolMax, volumeSize }: Settings, raw: RawSettings): void {
  if (spoolMax === null || spoolMax >= volumeSize) return;
  throw invalid(
    `${raw.get("spoolMax")?.origin} allows less than one volume, which may have ${formatBytes(volumeSize)}`,
    "Allow more, or make volumes smaller with --volume-size.",
  );
}

function checkCopies({ durability, minCopies, target }: Settings, raw: RawSettings): void {
  if (minCopies === null) return;
  const origin = raw.get("minCopies")?.origin;
  if (durability === "async") {
    throw invalid(
      `${origin} and --durability async contradict each other`,
      "With async the first target alone counts; with sync say how many have to.",
    );
  }
  if (minCopies <= target.length) return;
  throw invalid(
    `${origin} asks for ${minCopies} copies, and there ${target.length === 1 ? "is 1 target" : `are ${target.length} targets`}`,
    "Name more targets with --target, or ask for fewer copies.",
  );
}

function checkRange({ fromSeq, toSeq }: Settings, raw: RawSettings): void {
  if (toSeq === null || fromSeq <= toSeq) return;
  const [from, to] = [raw.get("fromSeq")?.origin, raw.get("toSeq")?.origin];
  throw invalid(
    `${from} ${fromSeq} is behind ${to} ${toSeq}`,
    "Give the smaller one to --from-seq; both ends are included.",
  );
}

function checkLevel(settings: Settings, raw: RawSettings): void {
  const given = (["quick", "records", "sample"] as const).filter(
    (level) => settings[level] !== false && settings[level] !== null,
  );
  if (given.length < 2) return;
  throw invalid(
    `${given.map((level) => raw.get(level)?.origin ?? level).join(" and ")} contradict each other`,
    "Keep one of them, or none for the checksums of all files.",
  );
}

function missing(key: SettingKey, what: string, how: string): BackupError {
  return new BackupError("SETTING_INVALID", what, {
    hint: `Say it with ${flagOf(key)}, ${variableOf(key)} or ${key} in the configuration file, ${how}.`,
  });
}

function invalid(message: string, hint: string): BackupError {
  return new BackupError("SETTING_INVALID", message, { hint });
}
