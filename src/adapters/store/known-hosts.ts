import { createHash, createHmac } from "node:crypto";

/** What the files say of one host. */
export interface KnownHost {
  /** Types of its keys, as in the key itself: "ssh-ed25519", "ssh-rsa", ... */
  readonly keyTypes: readonly string[];
  /** known; changed: another key of that type is known; unknown: none of that type is; revoked: whoever shows it is an impostor. */
  verdict(key: Buffer): "known" | "changed" | "unknown" | "revoked";
}

interface Line {
  readonly marker: string | null;
  readonly hosts: string;
  readonly type: string;
  readonly key: string;
}

/** From texts in the format of OpenSSH's known_hosts: names with wildcards, hashed ones, `[host]:port`. Certificates are not looked at. */
export function knownHost(texts: readonly string[], host: string, port: number): KnownHost {
  const name = port === 22 ? host : `[${host}]:${port}`;
  const lines = texts
    .flatMap((text) => text.split(/\r?\n/))
    .flatMap((line) => lineOf(line) ?? [])
    .filter((line) => isAbout(line.hosts, name));
  const trusted = lines.filter(({ marker }) => marker === null);
  const revoked = lines.filter(({ marker }) => marker === "@revoked");
  return {
    keyTypes: [...new Set(trusted.map(({ type }) => type))],
    verdict(key) {
      const shown = key.toString("base64");
      if (revoked.some((line) => line.key === shown)) return "revoked";
      if (trusted.some((line) => line.key === shown)) return "known";
      return trusted.some(({ type }) => type === keyTypeOf(key)) ? "changed" : "unknown";
    },
  };
}

/** As OpenSSH shows it, e.g. "ssh-ed25519 SHA256:...". */
export function fingerprintOf(key: Buffer): string {
  return `${keyTypeOf(key)} SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** A key begins with its type, and that with its length. */
function keyTypeOf(key: Buffer): string {
  const length = key.length < 4 ? 0 : key.readUInt32BE(0);
  const type = key.toString("latin1", 4, 4 + Math.min(length, 64));
  return /^[\w@.-]+$/.test(type) ? type : "unknown";
}

function lineOf(text: string): Line | null {
  if (/^\s*(?:#|$)/.test(text)) return null;
  const fields = text.trim().split(/\s+/);
  const marker = fields[0]?.startsWith("@") === true ? (fields.shift() ?? null) : null;
  const [hosts, type, key] = fields;
  return hosts === undefined || type === undefined || key === undefined ? null : { marker, hosts, type, key };
}

function isAbout(hosts: string, name: string): boolean {
  if (hosts.startsWith("|")) return isHashOf(hosts, name);
  const patterns = hosts.split(",");
  const matches = (pattern: string): boolean => wildcard(pattern.toLowerCase()).test(name);
  return (
    patterns.some((pattern) => !pattern.startsWith("!") && matches(pattern)) &&
    !patterns.some((pattern) => pattern.startsWith("!") && matches(pattern.slice(1)))
  );
}

/** `|1|salt|HMAC-SHA1 of the name`. */
function isHashOf(hosts: string, name: string): boolean {
  const [, version, salt, hash] = hosts.split("|");
  if (version !== "1" || salt === undefined || hash === undefined) return false;
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}

function wildcard(pattern: string): RegExp {
  const source = pattern.replaceAll(/[\\^$+.()|{}[\]]/g, String.raw`\$&`);
  return new RegExp(`^${source.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
}
