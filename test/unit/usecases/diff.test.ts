import { beforeAll, expect, test } from "vitest";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import { diffJson, diffLines } from "../../../src/cli/render-diff.ts";
import { painter } from "../../../src/cli/terminal-text.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { diff, type DiffRequest } from "../../../src/usecases/diff.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { message, messages, REPOSITORY, writeBackup } from "../../fakes/sample-backup.ts";

const codec = inlineCodec({ level: 1 });

const skipped = {
  outcome: "skipped" as const,
  skipped: { code: "QUEUE_LOCKED", message: "it is locked", hint: null },
  strategy: null,
};
const sunday = {
  now: new Date("2026-11-21T19:32:00Z"),
  queues: [
    { name: "orders", records: messages(30) },
    { name: "turned", records: messages(3) },
    { name: "same", records: messages(5) },
    { name: "old", records: messages(4) },
    { name: "locked", records: messages(2) },
    { name: "orders", vhost: "other", records: [message(1)], entry: { outcome: "partial" as const } },
  ],
};
const monday = {
  now: new Date("2026-11-22T02:00:00Z"),
  queues: [
    { name: "orders", records: [...messages(30).slice(10), message(100), message(101)] },
    { name: "turned", records: messages(3).toReversed() },
    { name: "same", records: messages(5) },
    { name: "fresh", records: messages(6) },
    { name: "locked", records: [], entry: skipped },
    { name: "orders", vhost: "other", records: [] },
  ],
};
const tuesday = {
  now: new Date("2026-11-23T02:00:00Z"),
  queues: [{ name: "orders", records: [message(101), message(300)] }],
};

let store: MemoryStore;
let first: Manifest;
let second: Manifest;
let third: Manifest;

beforeAll(async () => {
  store = memoryStore();
  const catalog = await createCatalog(store, REPOSITORY);
  first = await writeBackup(catalog, sunday);
  second = await writeBackup(catalog, { ...monday, base: { manifest: first, sample: sunday } });
  third = await writeBackup(catalog, { ...tuesday, base: { manifest: second, sample: monday } });
});

async function compare(
  from: Manifest,
  to: Manifest,
  selects: DiffRequest["selects"] = () => true,
  at = store,
) {
  return diff({ store: at, codec }, { first: from.id, second: to.id, selects });
}

test("each queue: what was kept, added, gone, and what became of the queue itself", async () => {
  const json = diffJson(await compare(first, second));
  const all = (messageCount: number) => ({ messages: messageCount, outcome: "complete" });
  const none = { kept: 0, added: 0, gone: 0, reordered: false };
  expect(json).toEqual({
    first: first.id,
    second: second.id,
    queues: [
      { vhost: "/", name: "fresh", state: "new", before: null, after: all(6), ...none, added: 6 },
      {
        vhost: "/",
        name: "locked",
        state: "skipped",
        before: all(2),
        after: { messages: 0, outcome: "skipped" },
        kept: null,
        added: null,
        gone: null,
        reordered: null,
      },
      { vhost: "/", name: "old", state: "gone", before: all(4), after: null, ...none, gone: 4 },
      {
        vhost: "/",
        name: "orders",
        state: "changed",
        before: all(30),
        after: all(22),
        ...none,
        kept: 20,
        added: 2,
        gone: 10,
      },
      { vhost: "/", name: "same", state: "same", before: all(5), after: all(5), ...none, kept: 5 },
      {
        vhost: "/",
        name: "turned",
        state: "changed",
        before: all(3),
        after: all(3),
        ...none,
        kept: 3,
        reordered: true,
      },
      {
        vhost: "other",
        name: "orders",
        state: "changed",
        before: { messages: 1, outcome: "partial" },
        after: all(0),
        ...none,
        gone: 1,
      },
    ],
    kept: 28,
    added: 8,
    gone: 15,
    unread: 1,
  });
});

test("the other way round it is the other way round", async () => {
  const [back] = (await compare(second, first, ({ name, vhost }) => name === "orders" && vhost === "/"))
    .queues;
  expect(back?.messages).toEqual({ kept: 20, added: 10, gone: 2, reordered: false });
  const same = await compare(second, second);
  for (const queue of same.queues) {
    expect(queue.messages).toEqual(
      queue.name === "locked" ? null : { kept: queue.after?.messages, added: 0, gone: 0, reordered: false },
    );
  }
});

test("an incremental on an incremental, and what it keeps from which", async () => {
  const orders = ({ name, vhost }: { name: string; vhost: string }): boolean =>
    name === "orders" && vhost === "/";
  expect((await compare(second, third, orders)).queues[0]?.messages).toMatchObject({
    kept: 1,
    added: 1,
    gone: 21,
  });
  expect((await compare(first, third, orders)).queues[0]?.messages).toMatchObject({
    kept: 0,
    added: 2,
    gone: 30,
  });
});

test("for people", async () => {
  const lines = diffLines(await compare(first, second), painter(false));
  expect(lines[0]).toBe(`from ${first.id} to ${second.id}`);
  expect(lines).toContainEqual(expect.stringMatching(/^VHOST +QUEUE +BEFORE +AFTER +KEPT +ADDED +GONE$/));
  expect(lines).toContainEqual(expect.stringMatching(/^\/ +fresh +- +6 +0 +6 +0 +new queue$/));
  expect(lines).toContainEqual(expect.stringMatching(/^\/ +locked +2 +- +- +- +- +skipped after$/));
  expect(lines).toContainEqual(expect.stringMatching(/^\/ +old +4 +- +0 +0 +4 +gone queue$/));
  expect(lines).toContainEqual(expect.stringMatching(/^\/ +turned +3 +3 +3 +0 +0 +reordered$/));
  expect(lines).toContainEqual(expect.stringMatching(/^other +orders +1 +0 +0 +0 +1 +partial before$/));
  expect(lines.at(-1)).toBe("28 messages kept, 8 added, 15 gone; nothing can be said of 1 queue");
});

test("what is missing or damaged is named", async () => {
  await expect(compare(first, second, () => false)).rejects.toMatchObject({ code: "QUEUE_MISSING" });
  const broken = memoryStore();
  for (const [key, kept] of store.objects) broken.objects.set(key, kept);
  broken.objects.delete(`backups/${first.id}/manifest.json`);
  await expect(compare(third, second, ({ name }) => name === "orders", broken)).rejects.toMatchObject({
    code: "ARCHIVE_DAMAGED",
    message: `backup ${second.id} keeps messages of backup ${first.id}, which is not there`,
  });
  const key = `backups/${second.id}/index.tar.zst`;
  const bytes = Buffer.from(store.objects.get(key)?.bytes ?? []);
  broken.objects.set(key, { bytes: bytes.fill(1), modifiedAt: new Date() });
  await expect(compare(third, second, ({ name }) => name === "orders", broken)).rejects.toMatchObject({
    code: "ARCHIVE_DAMAGED",
    message: expect.stringContaining(key),
  });
});
