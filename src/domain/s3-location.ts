import { BackupError } from "./errors.ts";
import { targetOptions } from "./target-options.ts";

/** What a target `s3://bucket/prefix?...` says. null: the AWS SDK's own default. */
export interface S3Location {
  readonly bucket: string;
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  /** `https://host:port` of an S3-compatible store. */
  readonly endpoint: string | null;
  readonly region: string | null;
  /** The bucket in the path, not in the host name. */
  readonly pathStyle: boolean;
  /** Of the shared AWS configuration files. */
  readonly profile: string | null;
  readonly storageClass: StorageClass | null;
  readonly sse: ServerSideEncryption | null;
  /** Id, ARN or alias; only with KMS. */
  readonly kmsKey: string | null;
  /** False: the store has no conditional puts, and whoever named the target knows what that means. */
  readonly conditionalPut: boolean;
  /** For people: bucket, prefix and endpoint. */
  readonly text: string;
}

const SSE = ["AES256", "aws:kms", "aws:kms:dsse"] as const;
type ServerSideEncryption = (typeof SSE)[number];

/** Whose objects can be read at once. */
const STORAGE_CLASSES = [
  "STANDARD",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER_IR",
  "REDUCED_REDUNDANCY",
] as const;
type StorageClass = (typeof STORAGE_CLASSES)[number];

const OPTIONS = [
  "endpoint",
  "region",
  "pathStyle",
  "profile",
  "storageClass",
  "sse",
  "kmsKey",
  "conditionalPut",
] as const;
type Option = (typeof OPTIONS)[number];

const SECRETS_HINT =
  "Leave credentials out of the target: they come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, from profile=, or from the machine's role.";

export function isS3Target(target: string): boolean {
  return /^s3:\/\//i.test(target);
}

/** Throws SETTING_INVALID, which never repeats what may be a secret. */
export function parseS3Location(target: string): S3Location {
  const [address, query] = splitOnce(target, "?");
  const [, bucket = "", path = ""] = /^s3:\/\/([^/]*)(?:\/(.*))?$/is.exec(address) ?? [];
  if (bucket.includes(":") || address.includes("@"))
    throw invalid("an S3 target holds a user name or a password", SECRETS_HINT);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(bucket)) {
    throw invalid(
      `target ${address} names no bucket`,
      "Write s3://bucket/prefix, for instance s3://backups/rabbitmq.",
    );
  }
  const options = targetOptions(query, `s3://${bucket}`, OPTIONS);
  const prefix = prefixOf(path, address);
  const endpoint = endpointOf(options.get("endpoint") ?? null);
  const sse = sseOf(options.get("sse") ?? null);
  const kmsKey = options.get("kmsKey") ?? null;
  if (kmsKey !== null && (sse === null || sse === "AES256"))
    throw invalid("kmsKey= of an S3 target needs a key service", "Add sse=aws:kms to the target.");
  return {
    bucket,
    prefix,
    endpoint,
    region: options.get("region") ?? null,
    pathStyle: switchOf(options, "pathStyle", { ["true"]: true, ["false"]: false }) ?? false,
    profile: options.get("profile") ?? null,
    storageClass: storageClassOf(options.get("storageClass") ?? null),
    sse,
    kmsKey,
    conditionalPut: switchOf(options, "conditionalPut", { yes: true, no: false }) ?? true,
    text: `s3://${bucket}/${prefix}${endpoint === null ? "" : `?endpoint=${endpoint}`}`,
  };
}

/** Parts as the store keeps them, a slash behind each. A part of dots alone would be read as a way by half the tools there are. */
function prefixOf(path: string, address: string): string {
  const parts = path.split("/").filter((part) => part !== "");
  const unsound = parts.find(
    (part) => /^\.+$/.test(part) || !/^[\x20-\x7E]+$/.test(part) || /[\\#]/.test(part),
  );
  if (unsound !== undefined) {
    throw invalid(
      `the prefix in target ${address} has a part that no key should have: ${JSON.stringify(unsound)}`,
      "Use letters, digits and . _ - between slashes.",
    );
  }
  return parts.map((part) => `${part}/`).join("");
}

function endpointOf(text: string | null): string | null {
  if (text === null) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && (url.username !== "" || url.password !== ""))
    throw invalid("endpoint= of an S3 target holds a user name or a password", SECRETS_HINT);
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.search !== "" || url.hash !== "") {
    throw invalid(
      "endpoint= of an S3 target is not an http or https address",
      "Write it like endpoint=https://s3.example:7480.",
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function storageClassOf(text: string | null): StorageClass | null {
  if (text === null) return null;
  const storageClass = STORAGE_CLASSES.find((known) => known === text);
  if (storageClass !== undefined) return storageClass;
  const isArchive = ["GLACIER", "DEEP_ARCHIVE"].includes(text);
  throw invalid(
    `storageClass=${text} of an S3 target ${isArchive ? "keeps what cannot be read at once" : "is unknown"}`,
    `Known are ${STORAGE_CLASSES.join(", ")}.`,
  );
}

function sseOf(text: string | null): ServerSideEncryption | null {
  if (text === null) return null;
  const sse = SSE.find((known) => known === text);
  if (sse !== undefined) return sse;
  throw invalid(`sse=${text} of an S3 target is unknown`, `Known are ${SSE.join(", ")}.`);
}

/** null: it is not said. */
function switchOf(
  options: ReadonlyMap<Option, string>,
  option: Option,
  words: Readonly<Record<string, boolean>>,
): boolean | null {
  const text = options.get(option);
  if (text === undefined) return null;
  const value = Object.hasOwn(words, text) ? words[text] : undefined;
  if (value !== undefined) return value;
  const [one = "", other = ""] = Object.keys(words);
  throw invalid(
    `${option}=${text} of an S3 target is neither ${one} nor ${other}`,
    `Write ${option}=${one} or ${option}=${other}.`,
  );
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function invalid(message: string, hint: string): BackupError {
  return new BackupError("SETTING_INVALID", message, { hint });
}
