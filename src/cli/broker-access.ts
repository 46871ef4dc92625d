import { BackupError } from "../domain/errors.ts";
import { readNamedFile, readSecretFile } from "./setting-files.ts";
import { decoded, maskUrl } from "./url-text.ts";
import type { Settings } from "./settings-schema.ts";

/** How to reach the broker, with everything filled in. URLs hold credentials. */
export interface BrokerAccess {
  readonly urls: readonly string[];
  /** The first URL, fit to be seen. */
  readonly shownUrl: string;
  /** null: AMQP-only mode. */
  readonly managementUrls: readonly string[] | null;
  /** Of the URLs. */
  readonly vhost: string;
  /** Of the first URL; with `external` that of the certificate, if the URL names it. */
  readonly user: string;
  readonly auth: "plain" | "external";
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  /** Found in a file: nobody may see them. */
  readonly secrets: readonly string[];
}

/** Reads the password and certificate files. Throws SETTING_INVALID. */
export async function brokerAccess(settings: Settings): Promise<BrokerAccess> {
  const password = settings.password ?? (await passwordIn(settings.passwordFile));
  const urls = settings.url.map((url) => withLogin(url, password, settings.auth));
  const management = settings.managementUrl.length > 0 ? settings.managementUrl : urls.map(managementUrlOf);
  const [ca, cert, key] = await Promise.all([
    fileOf(settings.tlsCa, "--tls-ca"),
    fileOf(settings.tlsCert, "--tls-cert"),
    fileOf(settings.tlsKey, "--tls-key"),
  ]);
  return {
    urls,
    shownUrl: shown(urls[0] ?? ""),
    managementUrls: management.includes("none")
      ? null
      : management.map((url) => withLogin(url, password, "plain", urls[0])),
    vhost: commonVhost(urls),
    user: decoded(new URL(urls[0] ?? "").username),
    auth: settings.auth,
    tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
    secrets: password === null || settings.password !== null ? [] : [password],
  };
}

/** The user of the URL, of `fallback`, or guest; with the password that belongs to it. */
function withLogin(
  text: string,
  password: string | null,
  auth: "plain" | "external",
  fallback?: string,
): string {
  const url = new URL(text);
  if (url.username === "" && fallback !== undefined) {
    const other = new URL(fallback);
    url.username = other.username;
    url.password = other.password;
  }
  if (auth === "external") return url.href;
  if (url.username === "") {
    url.username = "guest";
    url.password = encodeURIComponent(password ?? "guest");
  } else if (url.password === "") {
    if (password === null) throw noPassword(decoded(url.username), text);
    url.password = encodeURIComponent(password);
  }
  return url.href;
}

/** Same host and login. IPv6 hosts keep their brackets. */
function managementUrlOf(text: string): string {
  const amqp = new URL(text);
  const secure = amqp.protocol === "amqps:";
  const url = new URL(`${secure ? "https" : "http"}://${amqp.hostname}:${secure ? 15671 : 15672}`);
  url.username = amqp.username;
  url.password = amqp.password;
  return url.href;
}

function commonVhost(urls: readonly string[]): string {
  const vhosts = new Set(urls.map((url) => decoded(new URL(url).pathname.replace(/^\//, "")) || "/"));
  const [first = "/", second] = vhosts;
  if (second === undefined) return first;
  throw new BackupError(
    "SETTING_INVALID",
    `the broker URLs name different virtual hosts, ${first} and ${second}`,
    {
      hint: "Several URLs are ways to one broker; name virtual hosts with --vhost.",
    },
  );
}

function shown(text: string): string {
  const url = new URL(text);
  url.username = "";
  url.password = "";
  return url.href;
}

function noPassword(user: string, url: string): BackupError {
  return new BackupError("SETTING_INVALID", `there is no password for user ${user} of ${maskUrl(url)}`, {
    hint: "Give it by MQBACKUP_PASSWORD_FILE, MQBACKUP_PASSWORD, or in a URL by MQBACKUP_URL.",
  });
}

async function passwordIn(file: string | null): Promise<string | null> {
  return file === null ? null : readSecretFile(file, "--password-file", "password");
}

async function fileOf(file: string | null, flag: string): Promise<Buffer | null> {
  return file === null ? null : readNamedFile(file, flag);
}
