import { createHash, randomFillSync } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { parseArgs } from "node:util";
import { localSpool } from "../../src/adapters/archive/local-spool.ts";
import { inlineCodec } from "../../src/adapters/codec/inline-codec.ts";
import { fileStore } from "../../src/adapters/store/file-store.ts";
import { ContentBuilder, heldContent } from "../../src/domain/content-builder.ts";
import { parseBackupId } from "../../src/domain/backup-id.ts";
import { queueFolder } from "../../src/domain/entry-name.ts";
import type { IndexEntry, Manifest, SegmentEntry } from "../../src/domain/manifest.ts";
import { SequenceDiff } from "../../src/domain/sequence-diff.ts";
import { backupKey } from "../../src/repository/backup-folder.ts";
import { createCatalog } from "../../src/repository/catalog.ts";
import { IndexWriter } from "../../src/repository/index-writer.ts";
import { BaseBackup } from "../../src/usecases/base-backup.ts";
import { tempDirectory } from "../lab/temp.ts";
import { checkTime, measureNode } from "./measure.ts";

const USAGE = `usage: npm run bench:base -- [--messages <n>]

Generates a backup of one queue (default 10,000,000 messages; fingerprints alone, no records) and measures what an incremental needs
to build on it: its index read, and every message of the queue looked up, a tenth of the head gone and a hundredth new. No broker.
Needs GNU time.
`;

/** Of 1 KiB, in a segment of 4 MiB. */
const SEGMENT_RECORDS = 4000;
const FINGERPRINT_BYTES = 16;
const NOW = new Date("2026-11-21T19:32:00Z");
const ID = "20261121-193200F";
/** Fingerprints at once, as a run of segments gives them. */
const PIECE = SEGMENT_RECORDS * FINGERPRINT_BYTES;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      messages: { type: "string", default: "10000000" },
      help: { type: "boolean", default: false },
    },
  });
  const [directory] = positionals;
  if (values.help) process.stdout.write(USAGE);
  else if (directory === undefined) await run(Number(values.messages));
  else await build(directory);
}

async function run(messages: number): Promise<void> {
  checkTime();
  await using temp = await tempDirectory();
  const target = temp.join("target");
  await mkdir(target);
  await generate(target, messages, temp.join("spool"));
  const { wallSeconds, peakRssBytes, stdout } = await measureNode([import.meta.filename, target], temp);
  process.stdout.write(
    `base of ${messages.toLocaleString("en-US")} messages: ${(peakRssBytes / 1e6).toFixed(0)} MB at most, ${wallSeconds.toFixed(1)} s; ${stdout}`,
  );
}

/** What `incremental` does with a base, in a process of its own. */
async function build(target: string): Promise<void> {
  await using codec = inlineCodec({ level: 1 });
  const store = fileStore(target);
  const catalog = await createCatalog(store, { now: NOW, repositoryId: "bench" });
  const base = new BaseBackup({ store, codec }, await catalog.storedManifest(parseBackupId(ID)));
  const [queue] = base.manifest.queues;
  if (queue === undefined) throw new Error("no queue");
  const fingerprints = await base.fingerprints(queue, {});
  const diff = new SequenceDiff(fingerprints);
  const content = new ContentBuilder(heldContent(ID, queue));
  const began = performance.now();
  for (let at = Math.floor(queue.messages / 10) * FINGERPRINT_BYTES; at < fingerprints.length; at += PIECE) {
    content.add(diff.match(fingerprints.subarray(at, at + PIECE)));
  }
  const fresh = randomFillSync(new Uint8Array(Math.floor(queue.messages / 100) * FINGERPRINT_BYTES));
  content.add(diff.match(fresh));
  const seconds = (performance.now() - began) / 1000;
  const ranges = content.content.map(({ kind, count }) => `${count} ${kind}`).join(", ");
  process.stdout.write(`looked up in ${seconds.toFixed(1)} s: ${ranges}\n`);
}

async function generate(target: string, messages: number, spoolDirectory: string): Promise<void> {
  const store = fileStore(target);
  const catalog = await createCatalog(store, { now: NOW, repositoryId: "bench" });
  const id = await catalog.claim({ kind: "full", base: null, now: NOW });
  await using codec = inlineCodec({ level: 1 });
  await using spool = localSpool(spoolDirectory);
  const index = new IndexWriter({ spool, codec, modifiedAt: 0 });
  const folder = queueFolder(1, "q");
  for (let done = 0; done < messages; done += SEGMENT_RECORDS) {
    const count = Math.min(SEGMENT_RECORDS, messages - done);
    await index.add(folder, randomFillSync(new Uint8Array(count * FINGERPRINT_BYTES)));
  }
  const entries = await index.endQueue(folder);
  const file = await index.finish();
  await store.put(backupKey(id, file.name), file.body);
  await catalog.commit(manifestOf(messages, entries, file));
}

function manifestOf(messages: number, index: readonly IndexEntry[], file: Manifest["index"]): Manifest {
  const at = NOW.toISOString();
  const sha256 = createHash("sha256").digest("hex");
  const segments: SegmentEntry[] = [];
  for (let first = 0; first < messages; first += SEGMENT_RECORDS) {
    const records = Math.min(SEGMENT_RECORDS, messages - first);
    segments.push({
      volume: 1,
      offset: first,
      length: 1,
      records,
      first,
      plainBytes: records * 1100,
      sha256,
    });
  }
  const counts = { ready: messages, unacknowledged: 0 };
  return {
    format: 1,
    tool: { name: "mqbackup", version: "0" },
    id: ID,
    kind: "full",
    base: null,
    set: "bench",
    startedAt: at,
    finishedAt: at,
    drain: false,
    broker: {
      product: "RabbitMQ",
      version: "4.3.6",
      clusterName: null,
      url: "amqp://localhost",
      management: true,
    },
    queues: [
      {
        ordinal: 1,
        vhost: "/",
        name: "q",
        type: "classic",
        durable: true,
        autoDelete: false,
        arguments: {},
        policy: null,
        effectivePolicy: {},
        outcome: "complete",
        skipped: null,
        strategy: "",
        readyAtCut: messages,
        before: counts,
        after: counts,
        cutAt: at,
        readEndAt: at,
        releasedAt: at,
        holdMs: 0,
        messages,
        bodyBytes: messages * 1024,
        offsets: null,
        content: [{ kind: "new", first: 0, count: messages }],
        segments,
        index,
        gaps: [],
        notes: [],
      },
    ],
    definitions: [],
    volumes: [{ name: "data-00001.tar.zst", bytes: messages + 1, sha256 }],
    index: { name: file.name, bytes: file.bytes, sha256: file.sha256 },
    measures: {
      messages,
      bodyBytes: messages * 1024,
      plainBytes: messages * 1100,
      storedBytes: messages,
      targetBytes: null,
      knownMessages: messages,
      lostMessages: 0,
      lossRate: 0,
      readMs: 0,
      shipMs: 0,
      totalMs: 0,
      longestHoldMs: 0,
    },
  };
}

await main();
