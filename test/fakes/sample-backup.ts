import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { localSpool } from "../../src/adapters/archive/local-spool.ts";
import { inlineCodec } from "../../src/adapters/codec/inline-codec.ts";
import { parseBackupId } from "../../src/domain/backup-id.ts";
import type { Definitions } from "../../src/domain/definitions.ts";
import { queueFolder } from "../../src/domain/entry-name.ts";
import type { ContentRange, Manifest, QueueEntry } from "../../src/domain/manifest.ts";
import type { MessageRecord } from "../../src/domain/message.ts";
import type { QueueAddress, QueueType } from "../../src/domain/queue.ts";
import type { Spool, SpooledFile } from "../../src/ports/spool.ts";
import { ArchiveWriter } from "../../src/repository/archive-writer.ts";
import { backupKey } from "../../src/repository/backup-folder.ts";
import type { Catalog } from "../../src/repository/catalog.ts";
import { IndexWriter } from "../../src/repository/index-writer.ts";
import { QueueArchive } from "../../src/repository/queue-archive.ts";
import { SegmentBuilder } from "../../src/repository/segment-builder.ts";
import { encodeProperties, header, longstr } from "../unit/domain/wire-values.ts";
import { tempDirectory } from "../lab/temp.ts";

export interface SampleQueue {
  readonly name: string;
  readonly vhost?: string;
  readonly type?: QueueType;
  readonly records: readonly MessageRecord[];
  /** What else the manifest says of it. */
  readonly entry?: Partial<QueueEntry>;
}

export interface SampleBackup {
  readonly now: Date;
  readonly queues: readonly SampleQueue[];
  readonly definitions?: readonly Definitions[];
  readonly segmentBytes?: number;
  readonly volumeBytes?: number;
  readonly entryBytes?: number;
  /** An incremental on this one: records the queue of the same name had before, in that order, are kept from there. */
  readonly base?: { readonly manifest: Manifest; readonly sample: SampleBackup };
}

/** A message that carries its number. */
export function message(number: number, bodyBytes = 40): MessageRecord {
  const text = `message ${number} `;
  return {
    redelivered: number % 3 === 0,
    exchange: Buffer.from(number % 2 === 0 ? "" : "orders"),
    routingKey: Buffer.from(`key.${number % 4}`),
    properties: encodeProperties({
      contentType: Buffer.from("text/plain"),
      headers: [header("number", { tag: "l", value: BigInt(number) }), header("unit", longstr("piece"))],
      deliveryMode: 2,
    }),
    body: Buffer.from(text.repeat(Math.ceil(bodyBytes / text.length)).slice(0, bodyBytes)),
  };
}

export function messages(count: number, bodyBytes = 40): MessageRecord[] {
  return Array.from({ length: count }, (_, number) => message(number, bodyBytes));
}

/** A whole backup as the real one is made: claim, volumes, index, manifest. `files` has what was put. */
export async function writeBackup(
  catalog: Catalog,
  sample: SampleBackup,
  files: string[] = [],
): Promise<Manifest> {
  const { now, base } = sample;
  const id = await catalog.claim(
    base
      ? { kind: "incremental", base: parseBackupId(base.manifest.id), now }
      : { kind: "full", base: null, now },
  );
  try {
    await using directory = await tempDirectory();
    await using spool = localSpool(directory.path);
    const put = async (file: SpooledFile): Promise<void> => {
      files.push(file.name);
      await catalog.store.put(backupKey(id, file.name), file.body);
    };
    const manifest = await writeFiles(id, sample, spool, put);
    await catalog.commit(manifest);
    return manifest;
  } catch (error) {
    // The error that was first is the one to tell; what is left is no backup.
    await catalog.abandon(id).catch(() => undefined);
    throw error;
  }
}

async function writeFiles(
  id: string,
  sample: SampleBackup,
  spool: Spool,
  put: (file: SpooledFile) => Promise<void>,
): Promise<Manifest> {
  const { now, queues, definitions = [], volumeBytes = 1000, entryBytes = 160, base } = sample;
  await using codec = inlineCodec({ level: 3 });
  const modifiedAt = Math.floor(now.getTime() / 1000);
  await using archive = new ArchiveWriter({
    spool,
    codec,
    volumeBytes,
    modifiedAt,
    roomForVolume: async () => undefined,
    onVolume: put,
  });
  const index = new IndexWriter({ spool, codec, modifiedAt, entryBytes });
  const definitionsEntries = [];
  for (const each of definitions) definitionsEntries.push(await archive.addDefinitions(each));
  const entries = await Promise.all(
    queues.map(async (queue, at) => writeQueue(queue, at + 1, sample, archive, index)),
  );
  const volumes = await archive.finish();
  const indexFile = await index.finish();
  await put(indexFile);
  const sum = (of: (queue: QueueEntry) => number): number =>
    entries.reduce((all, queue) => all + of(queue), 0);
  const at = now.toISOString();
  return {
    format: 1,
    tool: { name: "mqbackup", version: "0.1.0" },
    id,
    kind: base ? "incremental" : "full",
    base: base?.manifest.id ?? null,
    set: "sample",
    startedAt: at,
    finishedAt: at,
    drain: false,
    broker: {
      product: "RabbitMQ",
      version: "4.3.6",
      clusterName: "rabbit@sample",
      url: "amqp://localhost:5672",
      management: true,
    },
    queues: entries,
    definitions: definitionsEntries,
    volumes,
    index: { name: indexFile.name, bytes: indexFile.bytes, sha256: indexFile.sha256 },
    measures: {
      messages: sum(({ messages: count }) => count),
      bodyBytes: sum(({ bodyBytes }) => bodyBytes),
      plainBytes: sum(({ segments }) => segments.reduce((all, { plainBytes }) => all + plainBytes, 0)),
      storedBytes: volumes.reduce((all, { bytes }) => all + bytes, indexFile.bytes),
      targetBytes: null,
      knownMessages: sum(({ messages: count }) => count),
      lostMessages: 0,
      lossRate: 0,
      readMs: 12,
      shipMs: 3,
      totalMs: 15,
      longestHoldMs: 9,
    },
  };
}

async function writeQueue(
  { name, vhost = "/", type = "classic", records, entry = {} }: SampleQueue,
  ordinal: number,
  { now, segmentBytes = 600, base }: SampleBackup,
  archive: ArchiveWriter,
  index: IndexWriter,
): Promise<QueueEntry> {
  const queue = new QueueArchive({ archive, index, folder: queueFolder(ordinal, name), ahead: 3 });
  const builder = new SegmentBuilder(segmentBytes);
  const { content, own } = contentOver(base, { name, vhost }, records);
  for (const record of own) {
    if (builder.append(record)) continue;
    await queue.append(builder.take());
    builder.append(record);
  }
  if (builder.records > 0) await queue.append(builder.take());
  const stored = await queue.finish();
  const count = records.length;
  const offsets = records.map(({ streamOffset }) => streamOffset ?? 0);
  const at = now.toISOString();
  return {
    ordinal,
    vhost,
    name,
    type,
    durable: true,
    autoDelete: false,
    arguments: type === "classic" ? {} : { "x-queue-type": type },
    policy: null,
    effectivePolicy: {},
    outcome: "complete",
    skipped: null,
    strategy: type === "stream" ? "read from the first offset" : "consume, cancel and nack",
    readyAtCut: type === "stream" ? null : count,
    before: { ready: count, unacknowledged: 0 },
    after: { ready: count, unacknowledged: 0 },
    cutAt: at,
    readEndAt: at,
    releasedAt: at,
    holdMs: 9,
    messages: count,
    bodyBytes: records.reduce((sum, { body }) => sum + body.length, 0),
    offsets: type === "stream" ? { first: offsets[0] ?? 0, last: offsets.at(-1) ?? 0 } : null,
    content,
    segments: stored.segments,
    index: stored.index,
    gaps: [],
    notes: [],
    ...entry,
  };
}

/** What of the records the base holds, each of its messages once and in its order; the rest is the backup's own. */
function contentOver(
  base: SampleBackup["base"],
  queue: QueueAddress,
  records: readonly MessageRecord[],
): { readonly content: readonly ContentRange[]; readonly own: readonly MessageRecord[] } {
  const had = base?.sample.queues.find(
    ({ name, vhost = "/" }) => name === queue.name && vhost === queue.vhost,
  );
  const entry = base?.manifest.queues.find(({ name, vhost }) => name === queue.name && vhost === queue.vhost);
  const held =
    entry?.content.flatMap((range) => placesOf(range, base?.manifest.id ?? "", entry.ordinal)) ?? [];
  const content: ContentRange[] = [];
  const own: MessageRecord[] = [];
  let next = 0;
  for (const record of records) {
    const at = had?.records.findIndex((each, i) => i >= next && isDeepStrictEqual(each, record)) ?? -1;
    const place = held[at];
    if (place !== undefined) next = at + 1;
    const range = place ?? { kind: "new" as const, first: own.length, count: 1 };
    if (place === undefined) own.push(record);
    const last = content.at(-1);
    const follows =
      last !== undefined &&
      isDeepStrictEqual({ ...range, first: 0, count: 0 }, { ...last, first: 0, count: 0 });
    if (follows && last.first + last.count === range.first)
      content[content.length - 1] = { ...last, count: last.count + 1 };
    else content.push(range);
  }
  return { content, own };
}

/** One range of one message each, as another backup names them. */
function placesOf(range: ContentRange, backup: string, ordinal: number): ContentRange[] {
  return Array.from({ length: range.count }, (_, at) => {
    const place = { first: range.first + at, count: 1 };
    return range.kind === "kept" ? { ...range, ...place } : { kind: "kept", backup, ordinal, ...place };
  });
}

export const DEFINITIONS: Definitions = {
  vhost: "/",
  exchanges: [
    {
      name: "orders",
      type: "topic",
      durable: true,
      autoDelete: false,
      internal: false,
      arguments: {},
    },
  ],
  bindings: [
    {
      source: "orders",
      destination: "orders",
      destinationType: "queue",
      routingKey: "#",
      arguments: {},
    },
  ],
  policies: [{ name: "ttl", pattern: "^orders$", definition: { "message-ttl": 60000 } }],
};

/** Enough of everything to look at: several queues, segments and volumes, an empty queue, a stream, a hostile name. */
export function sampleBackup(now = new Date("2026-11-21T19:32:00Z")): SampleBackup {
  return {
    now,
    definitions: [DEFINITIONS],
    queues: [
      { name: "orders", records: messages(30) },
      { name: "../../etc/passwd", records: messages(7) },
      { name: "empty", records: [] },
      {
        name: "events",
        type: "stream",
        records: messages(5).map((m, i) => ({ ...m, streamOffset: 100 + i })),
      },
      { name: "large", records: [message(1, 5000), message(2, 0)] },
    ],
  };
}

/** As little as a backup of two segments can be. */
export function tinyBackup(now = new Date("2026-11-21T19:32:00Z")): SampleBackup {
  return { now, definitions: [], queues: [{ name: "q", records: messages(3) }], segmentBytes: 300 };
}

export const REPOSITORY = { now: new Date("2026-11-21T19:31:00Z"), repositoryId: randomUUID() };
