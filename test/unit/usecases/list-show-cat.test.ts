import { beforeAll, expect, test } from "vitest";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import { ALL_MESSAGES } from "../../../src/domain/sequence-range.ts";
import type { MessageFilter } from "../../../src/ports/message-filter.ts";
import { parseBackupId } from "../../../src/domain/backup-id.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import type { MessageView } from "../../../src/repository/message-view.ts";
import { putMark } from "../../../src/repository/marks.ts";
import { cat, catBodies, type CatRequest } from "../../../src/usecases/cat.ts";
import { list } from "../../../src/usecases/list.ts";
import { show } from "../../../src/usecases/show.ts";
import { failing } from "../../fakes/failing.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { REPOSITORY, message, messages, sampleBackup, writeBackup } from "../../fakes/sample-backup.ts";

const codec = inlineCodec({ level: 1 });
let store: MemoryStore;
let manifest: Manifest;

beforeAll(async () => {
  store = memoryStore();
  const catalog = await createCatalog(store, REPOSITORY);
  manifest = await writeBackup(catalog, {
    ...sampleBackup(),
    queues: [
      ...sampleBackup().queues,
      {
        name: "odd",
        vhost: "other",
        records: [
          { ...message(1), body: Buffer.from([0xff, 0xfe]), routingKey: Buffer.from([0x80]) },
          { ...message(2), body: Buffer.from('\u{feff}grüße\n"\0"') },
          { ...message(3), body: Buffer.alloc(0), properties: Buffer.from([0x00, 0x01]) },
        ],
      },
    ],
  });
});

function asks(request: Partial<CatRequest> & { name?: string }): CatRequest {
  const { name } = request;
  return {
    backup: "latest",
    selects: (queue) => name === undefined || queue.name === name,
    range: ALL_MESSAGES,
    filter: null,
    skip: 0,
    limit: null,
    ...request,
  };
}

async function views(request: CatRequest, body: "text" | "base64" = "text"): Promise<MessageView[]> {
  const found: MessageView[] = [];
  for await (const view of cat({ store, codec }, { ...request, body })) found.push(view);
  return found;
}

test("a listing says what each backup is", async () => {
  const { location, repositoryId, backups, damaged } = await list({ store }, { set: null });
  expect({ location, repositoryId, damaged }).toEqual({
    location: "memory",
    repositoryId: REPOSITORY.repositoryId,
    damaged: [],
  });
  const { queues: _, definitions: _definitions, volumes: _volumes, index: _index, ...frame } = manifest;
  expect(backups).toEqual([
    { ...frame, vhosts: ["/", "other"], queues: { complete: 6, partial: 0, skipped: 0 }, marked: false },
  ]);
  expect((await list({ store }, { set: "sample" })).backups).toHaveLength(1);
  expect((await list({ store }, { set: "other" })).backups).toEqual([]);
});

test("a listing tells of a damaged backup whatever the set", async () => {
  const damaged = memoryStore();
  for (const [key, kept] of store.objects) damaged.objects.set(key, kept);
  const key = `backups/${manifest.id}/manifest.json`;
  damaged.objects.set(key, { bytes: Buffer.from("{"), modifiedAt: new Date() });
  const listing = await list({ store: damaged }, { set: "other" });
  expect(listing.backups).toEqual([]);
  expect(listing.damaged).toMatchObject([{ id: manifest.id, damage: { code: "MANIFEST_DAMAGED" } }]);
});

test("a mark is told by list and show, also of a damaged backup", async () => {
  const marked = memoryStore();
  for (const [key, kept] of store.objects) marked.objects.set(key, kept);
  const id = parseBackupId(manifest.id);
  await putMark(marked, id, new Date());
  expect((await list({ store: marked }, { set: null })).backups).toMatchObject([{ id, marked: true }]);
  expect(await show({ store: marked }, { backup: id })).toEqual({ manifest, marked: true });
  marked.objects.set(`backups/${id}/manifest.json`, { bytes: Buffer.from("{"), modifiedAt: new Date() });
  expect((await list({ store: marked }, { set: null })).damaged).toMatchObject([{ id, marked: true }]);
});

test("show gives the manifest", async () => {
  expect(await show({ store }, { backup: "20261121" })).toEqual({ manifest, marked: false });
  await expect(show({ store }, { backup: "2027" })).rejects.toMatchObject({ code: "BACKUP_MISSING" });
});

test("messages come in order, as they were", async () => {
  const found = await views(asks({ name: "orders" }));
  expect(found).toHaveLength(30);
  expect(found[4]).toEqual({
    vhost: "/",
    queue: "orders",
    sequence: 4,
    exchange: "",
    routingKey: "key.0",
    redelivered: false,
    properties: {
      contentType: "text/plain",
      headers: [
        { name: "number", type: "int64", value: 4 },
        { name: "unit", type: "string", value: "piece" },
      ],
      deliveryMode: 2,
    },
    bodyBytes: 40,
    bodyEncoding: "text",
    body: message(4).body.toString(),
  });
  expect(found.map(({ body }) => body)).toEqual(messages(30).map(({ body }) => body.toString()));
  expect((await views(asks({ name: "events" }))).map(({ streamOffset }) => streamOffset)).toEqual([
    100, 101, 102, 103, 104,
  ]);
  expect(await views(asks({ name: "empty" }))).toEqual([]);
});

test("bodies that are not text are base64, and say so", async () => {
  const found = await views(asks({ name: "odd" }));
  expect(found.map(({ bodyEncoding, body }) => [bodyEncoding, body])).toEqual([
    ["base64", "//4="],
    ["text", '\u{feff}grüße\n"\0"'],
    ["text", ""],
  ]);
  expect(found[0]?.routingKey).toEqual({ base64: "gA==" });
  expect(found[2]?.properties).toHaveProperty("undecoded");
  for (const view of found) expect(JSON.parse(JSON.stringify(view))).toEqual(view);
  const encoded = await views(asks({ name: "odd" }), "base64");
  expect(encoded.map(({ bodyEncoding, body }) => [bodyEncoding, Buffer.from(body, "base64").length])).toEqual(
    [
      ["base64", 2],
      ["base64", 14],
      ["base64", 0],
    ],
  );
});

test("some of the messages, reading no more than is needed", async () => {
  using watched = failing(store, []);
  const found: string[] = [];
  const request = { ...asks({ name: "orders", skip: 12, limit: 3 }), body: "text" as const };
  for await (const view of cat({ store: watched, codec }, request))
    found.push(`${view.sequence} ${view.body.slice(0, 10)}`);
  expect(found).toEqual(["12 message 12", "13 message 13", "14 message 14"]);
  const perSegment = manifest.queues[0]?.segments[0]?.records ?? 0;
  const read = watched.calls.filter((call) => call.includes("data-")).length;
  expect(read).toBeLessThanOrEqual(Math.ceil(3 / perSegment) + 1);
  expect(await views(asks({ limit: 0 }))).toEqual([]);
  expect(await views(asks({ name: "orders", skip: 30 }))).toEqual([]);
  expect(await views(asks({ limit: 1 }))).toHaveLength(5);
});

test("messages of a range, of those that match, of those the middle ones", async () => {
  const numbers = async (request: Partial<CatRequest>): Promise<number[]> =>
    (await views(asks({ name: "orders", ...request }))).map(({ sequence }) => sequence);
  const third: MessageFilter = { text: "", matches: ({ sequence }) => sequence % 3 === 0 };
  expect(await numbers({ range: { from: 4, to: 6 } })).toEqual([4, 5, 6]);
  expect(await numbers({ range: { from: 4, to: 9 }, skip: 2, limit: 2 })).toEqual([6, 7]);
  expect(await numbers({ range: { from: 4, to: 9 }, skip: 9 })).toEqual([]);
  expect(await numbers({ filter: third })).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
  expect(await numbers({ filter: third, range: { from: 4, to: 18 } })).toEqual([6, 9, 12, 15, 18]);
  expect(await numbers({ filter: third, range: { from: 4, to: 18 }, skip: 1, limit: 3 })).toEqual([
    9, 12, 15,
  ]);
  expect(await numbers({ filter: third, skip: 10 })).toEqual([]);
  const bodies: string[] = [];
  const request = asks({ name: "orders", filter: third, limit: 2 });
  for await (const body of catBodies({ store, codec }, request)) bodies.push(Buffer.from(body).toString());
  expect(bodies).toEqual([0, 3].map((number) => message(number).body.toString()));
});

test("segments outside of the range are not read", async () => {
  using watched = failing(store, []);
  const request = { ...asks({ name: "orders", range: { from: 14, to: 14 } }), body: "text" as const };
  for await (const { sequence } of cat({ store: watched, codec }, request)) expect(sequence).toBe(14);
  expect(watched.calls.filter((call) => call.includes("data-"))).toHaveLength(1);
});

test("raw bodies are those of one queue", async () => {
  const parts: Buffer[] = [];
  for await (const part of catBodies({ store, codec }, asks({ name: "orders" })))
    parts.push(Buffer.from(part));
  expect(parts).toEqual(messages(30).map(({ body }) => body));
  await expect(catBodies({ store, codec }, asks({})).next()).rejects.toMatchObject({ code: "USAGE" });
  await expect(catBodies({ store, codec }, asks({ name: "none" })).next()).rejects.toMatchObject({
    code: "QUEUE_MISSING",
  });
});

test("damage is named where it is met", async () => {
  const [segment] = manifest.queues[0]?.segments ?? [];
  if (segment === undefined) throw new Error("no segment");
  const damaged = memoryStore();
  for (const [key, kept] of store.objects) damaged.objects.set(key, kept);
  const key = `backups/${manifest.id}/data-0000${segment.volume}.tar.zst`;
  const bytes = Buffer.from(store.objects.get(key)?.bytes ?? []);
  bytes.writeUInt8(bytes.readUInt8(segment.offset + 5) ^ 1, segment.offset + 5);
  damaged.objects.set(key, { bytes, modifiedAt: new Date() });
  const reading = cat({ store: damaged, codec }, { ...asks({ name: "orders" }), body: "text" });
  await expect(reading.next()).rejects.toMatchObject({
    code: "ARCHIVE_DAMAGED",
    message: expect.stringMatching(
      /^segment 1 of queue orders in virtual host \/ in backups\/20261121-193200F\/data-/,
    ),
  });
});
