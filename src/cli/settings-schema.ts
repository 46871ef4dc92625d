import { z } from "zod";

import { parseQueueMapping } from "../domain/queue-mapping.ts";
import { ACCEPT_SPENT } from "../domain/delivery-limit.ts";
import { ACCEPT_HOLD_MEMORY, ACCEPT_IN_FLIGHT, ACCEPT_SAC_TAKEOVER } from "../domain/reading-plan.ts";
import { ACCEPTABLE } from "../domain/restore-request.ts";
import { LOCK_MODES } from "../domain/object-lock.ts";
import { compileQueuePattern } from "../domain/queue-pattern.ts";
import { BackupError } from "../domain/errors.ts";
import {
  parseByteRate,
  parseDuration,
  parsePercent,
  parseRate,
  parseSize,
  parseSizeOrPercent,
  parseSwitch,
  parseWhole,
} from "./quantities.ts";
import { isSecretKey, recipientFault } from "./key-texts.ts";
import type { SettingKey } from "./setting-table.ts";
import { maskPath, maskUrl } from "./url-text.ts";

const text = z.string().min(1, "an empty value");
const optionalText = text.nullable().default(null);
const optionalCount = z
  .string()
  .transform(checked((n) => parseWhole(n, 1)))
  .nullable()
  .default(null);
const switched = z.string().transform(checked(parseSwitch)).default(false);
const oneOf = <const T extends readonly [string, ...string[]]>(...words: T) =>
  z.enum(words, { error: (issue) => `${JSON.stringify(issue.input)} is none of ${words.join(", ")}` });

const SHAPE = {
  url: z
    .array(z.string().transform(checked((url) => urlOf(url, ["amqp:", "amqps:"]))))
    .min(1, "an empty value"),
  managementUrl: z
    .array(z.string().transform(checked((url) => (url === "none" ? url : urlOf(url, ["http:", "https:"])))))
    .refine(
      (urls) => urls.length < 2 || !urls.includes("none"),
      "none and something else contradict each other",
    )
    .default([]),
  password: optionalText,
  passwordFile: optionalText,
  auth: oneOf("plain", "external"),
  tlsCa: optionalText,
  tlsCert: optionalText,
  tlsKey: optionalText,
  vhost: z.array(text).default([]),
  allVhosts: switched,
  queue: z.array(text.transform(compileQueuePattern)).default([]),
  exclude: z.array(text.transform(compileQueuePattern)).default([]),
  queueType: oneOf("classic", "quorum", "stream").nullable().default(null),
  deliveryLimit: z
    .string()
    .transform(checked((limit) => (limit === "unlimited" ? limit : parseWhole(limit, 0))))
    .nullable()
    .default(null),
  target: z.array(text).default([]),
  set: text
    .regex(/^[^\p{Cc}]{1,255}$/u, "more than 255 characters, or control characters")
    .nullable()
    .default(null),
  breakLease: switched,
  durability: oneOf("sync", "async"),
  minCopies: optionalCount,
  spoolDir: optionalText,
  spoolMax: z.string().transform(checked(parseSize)).nullable().default(null),
  volumeSize: z.string().transform(checked((size) => atLeast(parseSize(size), 1 << 20, "1MiB"))),
  uploadRate: z
    .string()
    .transform(checked((rate) => atLeast(parseByteRate(rate), 1024, "1KiB a second")))
    .nullable()
    .default(null),
  lockDays: z
    .string()
    .transform(checked((n) => parseWhole(n, 1, 36_500)))
    .nullable()
    .default(null),
  lockMode: oneOf(...LOCK_MODES)
    .nullable()
    .default(null),
  compressionLevel: z.string().transform(checked((level) => parseWhole(level, 1, 19))),
  base: optionalText,
  requireBase: switched,
  drain: switched,
  parallel: z.string().transform(checked((n) => parseWhole(n, 1, 64))),
  maxHold: z.string().transform(checked((hold) => atLeast(parseDuration(hold), 1000, "1s"))),
  keepDeliveries: z
    .string()
    .transform(checked((n) => parseWhole(n, 2)))
    .nullable()
    .default(null),
  readerPriority: z.string().transform(checked((n) => parseWhole(n, -(2 ** 31), 2 ** 31 - 1))),
  holdMemory: z.string().transform(checked(parseSizeOrPercent)),
  rate: z.string().transform(checked(parseRate)).nullable().default(null),
  accept: z.array(z.string().transform(checked(acceptCode))).default([]),
  recipient: z.array(text.transform(checked(recipientText))).default([]),
  recipientsFile: z.array(text).default([]),
  encryptNames: switched,
  identityFile: z.array(text).default([]),
  passphrase: optionalText,
  passphraseFile: optionalText,
  newPassphrase: optionalText,
  newPassphraseFile: optionalText,
  id: optionalText,
  map: z.array(z.string().transform(checked(parseQueueMapping))).default([]),
  toVhost: optionalText,
  route: oneOf("queue", "default", "exchange"),
  toOrigin: switched,
  deathHeader: oneOf("drop", "keep"),
  definitions: oneOf("missing", "none"),
  append: switched,
  expiration: oneOf("keep", "drop"),
  userId: oneOf("keep", "drop"),
  resume: switched,
  readBack: switched,
  stateDir: optionalText,
  where: optionalText,
  fromSeq: z.string().transform(checked((n) => parseWhole(n, 0))),
  toSeq: z
    .string()
    .transform(checked((n) => parseWhole(n, 0)))
    .nullable()
    .default(null),
  body: oneOf("text", "base64", "raw"),
  skip: z.string().transform(checked((n) => parseWhole(n, 0))),
  limit: z
    .string()
    .transform(checked((n) => parseWhole(n, 0)))
    .nullable()
    .default(null),
  quick: switched,
  records: switched,
  sample: z.string().transform(checked(samplePart)).nullable().default(null),
  checksum: switched,
  metricsFile: optionalText,
  pingUrl: z
    .string()
    .transform(checked((url) => urlOf(url, ["http:", "https:"], maskPath)))
    .nullable()
    .default(null),
  keepLast: optionalCount,
  keepHourly: optionalCount,
  keepDaily: optionalCount,
  keepWeekly: optionalCount,
  keepMonthly: optionalCount,
  keepYearly: optionalCount,
  keepWithin: z
    .string()
    .transform(checked((time) => atLeast(parseDuration(time), 1000, "1s")))
    .nullable()
    .default(null),
  keepFull: optionalCount,
  confirm: switched,
  dryRun: switched,
  printSettings: switched,
  json: switched,
  quiet: switched,
  verbose: switched,
  noColor: switched,
  noProgress: switched,
  config: optionalText,
} satisfies Readonly<Record<SettingKey, z.ZodType>>;

const SCHEMA = z.object(SHAPE);

export type Settings = Readonly<z.infer<typeof SCHEMA>>;

/** The first thing wrong with a setting: completes "<where it came from> ...". */
export interface SettingIssue {
  readonly key: string;
  readonly why: string;
}

export function parseSettings(raw: Readonly<Record<string, unknown>>): Settings | SettingIssue {
  const parsed = SCHEMA.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return { key: String(issue?.path[0] ?? ""), why: issue?.message ?? "is not valid" };
}

/** A parser that throws, as zod wants it. */
function checked<T>(parse: (value: string) => T): (value: string, context: z.RefinementCtx) => T {
  return (value, context) => {
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof RangeError) && !(error instanceof BackupError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  };
}

const ACCEPT_CODES = [
  ACCEPT_SAC_TAKEOVER,
  ACCEPT_HOLD_MEMORY,
  ACCEPT_IN_FLIGHT,
  ACCEPT_SPENT,
  ...Object.keys(ACCEPTABLE),
];

function acceptCode(code: string): string {
  if (ACCEPT_CODES.includes(code)) return code;
  throw new RangeError(`${JSON.stringify(code)} is none of ${ACCEPT_CODES.join(", ")}`);
}

function samplePart(percent: string): number {
  const part = parsePercent(percent);
  if (part > 0) return part;
  throw new RangeError("a sample of nothing");
}

function urlOf(value: string, protocols: readonly string[], mask = maskUrl): string {
  const shown = JSON.stringify(mask(value));
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || url.hostname === "") throw new RangeError(`${shown} is not a URL`);
  // What was meant as a password would be taken for a virtual host, and shown.
  if (`${url.pathname}${url.search}${url.hash}`.includes("@")) {
    throw new RangeError("has an @ behind a /: write / as %2F and @ as %40 in passwords and virtual hosts");
  }
  if (!protocols.includes(url.protocol)) {
    throw new RangeError(
      `${shown} does not begin with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`,
    );
  }
  return value;
}

function recipientText(value: string): string {
  const fault = recipientFault(value);
  if (fault === null) return value;
  throw new RangeError(isSecretKey(value) ? fault : `${JSON.stringify(value)} ${fault}`);
}

function atLeast(value: number, least: number, shown: string): number {
  if (value < least) throw new RangeError(`less than ${shown}`);
  return value;
}
