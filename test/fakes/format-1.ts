import { fileStore } from "../../src/adapters/store/file-store.ts";
import type { Manifest, QueueEntry } from "../../src/domain/manifest.ts";
import type { MessageRecord } from "../../src/domain/message.ts";
import { createCatalog } from "../../src/repository/catalog.ts";
import { encodeProperties, header, longstr, type Header } from "../unit/domain/wire-values.ts";
import { DEFINITIONS, message, messages, writeBackup, type SampleBackup } from "./sample-backup.ts";

const NOW = new Date("2026-11-21T19:32:00Z");

/** One header of every type there is. */
const HEADERS: readonly Header[] = [
  header("void", { tag: "V" }),
  header("bool", { tag: "t", value: true }),
  header("int8", { tag: "b", value: -128 }),
  header("uint8", { tag: "B", value: 255 }),
  header("int16", { tag: "s", value: -32_768 }),
  header("uint16", { tag: "u", value: 65_535 }),
  header("int32", { tag: "I", value: -2_147_483_648 }),
  header("uint32", { tag: "i", value: 4_294_967_295 }),
  header("int64", { tag: "l", value: 5n }),
  header("int64 large", { tag: "l", value: -9_223_372_036_854_775_808n }),
  header("uint64", { tag: "L", value: 18_446_744_073_709_551_615n }),
  header("float", { tag: "f", value: 1.5 }),
  header("double", { tag: "d", value: 0.1 }),
  header("decimal", { tag: "D", scale: 2, digits: 314 }),
  header("timestamp", { tag: "T", value: 1_795_000_000n }),
  header("string", longstr("grüße")),
  header("string not UTF-8", longstr(Buffer.of(0xff, 0x00, 0xfe))),
  header("bytes", { tag: "x", value: Buffer.of(0, 1, 2) }),
  header("array", { tag: "A", value: [longstr("a"), { tag: "I", value: 1 }] }),
  header("table", { tag: "F", value: [header("inner", { tag: "V" })] }),
];

const EVERYTHING: MessageRecord = {
  redelivered: true,
  exchange: Buffer.from("ex"),
  routingKey: Buffer.of(0x80, 0x81),
  properties: encodeProperties({
    contentType: Buffer.from("application/octet-stream"),
    contentEncoding: Buffer.from("identity"),
    headers: HEADERS,
    deliveryMode: 2,
    priority: 9,
    correlationId: Buffer.from("correlation"),
    replyTo: Buffer.from("reply"),
    expiration: Buffer.from("60000"),
    messageId: Buffer.from("id"),
    timestamp: 1_795_000_000n,
    type: Buffer.from("type"),
    userId: Buffer.from("guest"),
    appId: Buffer.from("app"),
    clusterId: Buffer.from("cluster"),
  }),
  body: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
};

const SKIPPED: Partial<QueueEntry> = {
  outcome: "skipped",
  skipped: {
    code: "delivery-limit",
    message: "reading costs a delivery",
    hint: "Allow it with --keep-deliveries.",
  },
  strategy: null,
  readyAtCut: null,
  before: { ready: 3, unacknowledged: null },
  after: { ready: null, unacknowledged: null },
  cutAt: null,
  readEndAt: null,
  releasedAt: null,
  holdMs: null,
};

const PARTIAL: Partial<QueueEntry> = {
  outcome: "partial",
  before: { ready: 7, unacknowledged: 1 },
  gaps: [{ code: "in-flight", message: "1 message was with a consumer", messages: 1 }],
  notes: ["messages read are redelivered for later consumers"],
  policy: "limits",
  effectivePolicy: { "max-length": 100, "dead-letter-exchange": "dlx" },
  arguments: { "x-max-priority": 5, "x-queue-type": "classic" },
};

const SAMPLE: SampleBackup = {
  now: NOW,
  definitions: [DEFINITIONS, { vhost: "other/vhost", exchanges: [], bindings: [], policies: [] }],
  queues: [
    { name: "orders", type: "quorum", records: messages(30) },
    { name: "../../etc/passwd", records: messages(7), entry: PARTIAL },
    { name: "empty", vhost: "other/vhost", records: [] },
    { name: "events", type: "stream", records: messages(5).map((m, i) => ({ ...m, streamOffset: 100 + i })) },
    { name: "everything", records: [EVERYTHING, message(1, 5000), message(2, 0)] },
    { name: "größe".repeat(30), records: [message(3)] },
    { name: "limited", type: "quorum", records: [], entry: SKIPPED },
  ],
};

/** The repository in fixtures/format-1 as it was made once. Compressed bytes depend on the version of zstd, all else does not. */
export async function writeFormat1(directory: string): Promise<Manifest> {
  const store = fileStore(directory, { create: true });
  const repository = {
    repositoryId: "6f2c1a52-8f0e-4f0c-9d3b-0d6a3c1f5e77",
    now: new Date("2026-11-21T19:31:59Z"),
  };
  return writeBackup(await createCatalog(store, repository), SAMPLE);
}
