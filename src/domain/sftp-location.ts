import { BackupError } from "./errors.ts";
import { targetOptions } from "./target-options.ts";

/** What a target `sftp://user@host:port/path?...` says. null: as `ssh` would have it. Files may begin with `~/`, this machine's home. */
export interface SftpLocation {
  readonly user: string | null;
  /** Name or address; that of IPv6 without brackets. Lower case. */
  readonly host: string;
  readonly port: number;
  /** `/srv/backups`, or without a slash at the beginning below the user's home there; `.` is that itself. */
  readonly path: string;
  readonly identityFile: string | null;
  /** File with the passphrase of the identity file. */
  readonly passphraseFile: string | null;
  /** File with the user's password. */
  readonly passwordFile: string | null;
  readonly knownHosts: string | null;
  /** For people: user, host, port and path. */
  readonly text: string;
}

const OPTIONS = ["identityFile", "passphraseFile", "passwordFile", "knownHosts"] as const;

const SSH_PORT = 22;

const FORM = "Write sftp://user@host/path, for instance sftp://backup@nas.example/srv/rabbitmq.";
const SECRETS_HINT =
  "Leave passwords out of the target: name a file with passwordFile=, or better log in with a key (identityFile=).";

export function isSftpTarget(target: string): boolean {
  return /^sftp:\/\//i.test(target);
}

/** Throws SETTING_INVALID, which never repeats what may be a secret. */
export function parseSftpLocation(target: string): SftpLocation {
  const [address = "", ...rest] = target.split("?");
  const [, authority = "", path = null] = /^sftp:\/\/([^/]*)(\/.*)?$/is.exec(address) ?? [];
  const at = authority.lastIndexOf("@");
  const [login, place] = [at < 0 ? null : authority.slice(0, at), authority.slice(at + 1)];
  // A slash in a password ends what looks like the host.
  if (login?.includes(":") === true || path?.includes("@") === true)
    throw invalid("an SFTP target holds a password, or an @ that is not written %40", SECRETS_HINT);
  const [, address6, name, digits] = /^(?:\[([\dA-Fa-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(place) ?? [];
  const host = (address6 ?? name)?.toLowerCase();
  const port = digits === undefined ? SSH_PORT : Number(digits);
  if (host === undefined) throw invalid("an SFTP target names no host", FORM);
  if (port < 1 || port > 65_535) throw invalid(`port ${port} of an SFTP target is none`, FORM);
  const user = login === null ? null : decodedPart(login, host);
  if (user === "") throw invalid(`the user of target sftp://${host} is empty`, FORM);
  const parts = (path ?? "").split("/").filter((part) => part !== "");
  if (parts.length === 0) throw invalid(`target sftp://${host} names no directory`, FORM);
  const query = rest.join("?");
  refusePassword(query);
  const options = targetOptions(query, `sftp://${host}`, OPTIONS);
  const shownPort = port === SSH_PORT ? "" : `:${port}`;
  return {
    user,
    host,
    port,
    path: pathOf(parts, host),
    identityFile: options.get("identityFile") ?? null,
    passphraseFile: options.get("passphraseFile") ?? null,
    passwordFile: options.get("passwordFile") ?? null,
    knownHosts: options.get("knownHosts") ?? null,
    text: `sftp://${login === null ? "" : `${login}@`}${address6 === undefined ? host : `[${host}]`}${shownPort}/${parts.join("/")}`,
  };
}

/** `~` as the first part is the home there, where SFTP begins ways that have no beginning. */
function pathOf(parts: readonly string[], host: string): string {
  const sound = parts.map((part) => decodedPart(part, host));
  if (sound[0] !== "~") return `/${sound.join("/")}`;
  return sound.length === 1 ? "." : sound.slice(1).join("/");
}

function decodedPart(part: string, host: string): string {
  const text = percentDecoded(part);
  if (text !== null && !/^\.+$|[/\p{Cc}]/u.test(text) && !part.includes("#")) return text;
  throw invalid(
    `target sftp://${host} has a part that cannot be used: ${JSON.stringify(part)}`,
    "Write the way to the directory without . and .., and %25 for %, %23 for #, %3F for ?.",
  );
}

function percentDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** A password would show on every command line. */
function refusePassword(query: string): void {
  for (const name of new URLSearchParams(query).keys()) {
    if (/^pass(word|phrase|wd)?$/i.test(name)) throw invalid("an SFTP target holds a password", SECRETS_HINT);
  }
}

function invalid(message: string, hint: string): BackupError {
  return new BackupError("SETTING_INVALID", message, { hint });
}
