import { z } from "zod";
import { FORMAT, type Manifest, type ManifestFrame } from "../domain/manifest.ts";
import { isBackupId } from "../domain/backup-id.ts";

/** The largest message a broker takes is 512 MiB; a segment larger than this is not ours. */
const MAX_PLAIN_BYTES = 2 ** 30;

/** Definitions are one JSON document, index entries are written with 1 MiB. */
const MAX_DEFINITIONS_BYTES = 2 ** 26;
const MAX_INDEX_ENTRY_BYTES = 2 ** 24;

/** zstd adds less than this to what does not compress. */
const MAX_FRAME_BYTES = MAX_PLAIN_BYTES + 2 ** 24;

const count = z.int().nonnegative();
const number = z.int().positive();
const duration = z.number().nonnegative();
const moment = z.iso.datetime();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "is not a SHA-256 in lowercase hexadecimal");
const id = z.string().refine(isBackupId, "is not a backup id");
const freeForm = z.record(z.string(), z.unknown()).transform(sortedKeys);

const frames = {
  offset: count,
  length: z.int().positive().max(MAX_FRAME_BYTES),
};
const plainBytes = z.int().positive();

const counts = z.object({ ready: count.nullable(), unacknowledged: count.nullable() });

const segment = z.object({
  volume: number,
  ...frames,
  records: number,
  first: count,
  plainBytes: plainBytes.max(MAX_PLAIN_BYTES),
  sha256,
});

const indexEntry = z.object({
  ...frames,
  records: number,
  plainBytes: plainBytes.max(MAX_INDEX_ENTRY_BYTES),
  sha256,
});

const range = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("new"), first: count, count: number }),
  z.object({ kind: z.literal("kept"), backup: id, ordinal: number, first: count, count: number }),
]);

const queue = z.object({
  ordinal: number,
  vhost: z.string().max(255),
  name: z.string().min(1).max(255),
  type: z.enum(["classic", "quorum", "stream", "other", "unknown"]),
  durable: z.boolean().nullable(),
  autoDelete: z.boolean().nullable(),
  arguments: freeForm,
  policy: z.string().nullable(),
  effectivePolicy: freeForm,
  outcome: z.enum(["complete", "partial", "skipped"]),
  skipped: z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }).nullable(),
  strategy: z.string().nullable(),
  readyAtCut: count.nullable(),
  before: counts,
  after: counts,
  cutAt: moment.nullable(),
  readEndAt: moment.nullable(),
  releasedAt: moment.nullable(),
  holdMs: duration.nullable(),
  messages: count,
  bodyBytes: count,
  offsets: z.object({ first: count, last: count }).nullable(),
  content: z.array(range),
  segments: z.array(segment),
  index: z.array(indexEntry),
  gaps: z.array(z.object({ code: z.string(), message: z.string(), messages: count.nullable() })),
  notes: z.array(z.string()),
});

const definitions = z.object({
  vhost: z.string().max(255),
  volume: number,
  ...frames,
  plainBytes: plainBytes.max(MAX_DEFINITIONS_BYTES),
  sha256,
});

const file = z.object({ name: z.string(), bytes: z.int().positive(), sha256 });

const reference = z.object({ backup: id, sha256 });

const head = {
  format: z.literal(FORMAT),
  tool: z.object({ name: z.string(), version: z.string() }),
  id,
  kind: z.enum(["full", "incremental"]),
  base: id.nullable(),
  compactedFrom: id.exactOptional(),
  encryption: z.object({ namesHidden: z.boolean() }).exactOptional(),
  set: z.string(),
  startedAt: moment,
  finishedAt: moment,
  drain: z.boolean(),
  broker: z.object({
    product: z.string(),
    version: z.string(),
    clusterName: z.string().nullable(),
    url: z.string(),
    management: z.boolean(),
  }),
};

const measures = z.object({
  messages: count,
  bodyBytes: count,
  plainBytes: count,
  storedBytes: count,
  targetBytes: count.nullable(),
  knownMessages: count,
  lostMessages: count,
  lossRate: z.number().min(0).max(1),
  readMs: duration,
  shipMs: duration,
  totalMs: duration,
  longestHoldMs: duration,
});

/** Shape and limits of every field alone; `checkManifest` holds how they fit together. Gives the fields in this order. */
export const manifestSchema: z.ZodType<Manifest> = z.object({
  ...head,
  queues: z.array(queue),
  definitions: z.array(definitions),
  volumes: z.array(file),
  index: file,
  needs: z.array(reference).exactOptional(),
  sealed: z.base64().min(1).exactOptional(),
  stored: z.object({ files: z.array(file), sha256 }).exactOptional(),
  measures,
});

/** What stands before the queues, and the measures, which stand last. */
export const frameSchema: z.ZodType<ManifestFrame> = z.object({ ...head, measures });

/** Settings have no order of their own; one order makes equal manifests equal bytes. */
function sortedKeys(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
