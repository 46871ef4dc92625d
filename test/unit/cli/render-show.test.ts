import { beforeAll, expect, test } from "vitest";
import { backupDetails, backupDetailsJson } from "../../../src/cli/render-repository.ts";
import { painter } from "../../../src/cli/terminal-text.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { message, messages, REPOSITORY, writeBackup } from "../../fakes/sample-backup.ts";

const full = {
  now: new Date("2026-11-21T19:32:00Z"),
  queues: [
    { name: "orders", records: messages(30) },
    { name: "payments", records: messages(7) },
    { name: "gone", records: messages(2) },
  ],
};
/** Ten consumed, two new; nothing kept of the second queue. */
const next = {
  now: new Date("2026-11-22T02:00:00Z"),
  queues: [
    { name: "orders", records: [...messages(30).slice(10), message(100), message(101)] },
    { name: "payments", records: [message(200)] },
    { name: "unread", records: [], entry: { outcome: "skipped" as const, strategy: null } },
  ],
};
const last = {
  now: new Date("2026-11-22T03:00:00Z"),
  queues: [{ name: "orders", records: [...messages(30).slice(20), message(100), message(300)] }],
};
let first: Manifest;
let second: Manifest;
let third: Manifest;

beforeAll(async () => {
  const catalog = await createCatalog(memoryStore(), REPOSITORY);
  first = await writeBackup(catalog, full);
  second = await writeBackup(catalog, { ...next, base: { manifest: first, sample: full } });
  third = await writeBackup(catalog, { ...last, base: { manifest: second, sample: next } });
});

function linesOf(manifest: Manifest): readonly string[] {
  return backupDetails({ manifest, marked: false }, painter(false));
}

test("what a backup holds itself, and what it keeps from which others", () => {
  const lines = linesOf(second);
  expect(lines).toContainEqual(
    expect.stringMatching(/^QUEUE +TYPE +OUTCOME +MESSAGES +OWN +KEPT +BODIES +HELD$/),
  );
  expect(lines).toContainEqual(expect.stringMatching(/^orders +classic +complete +22 +2 +20 /));
  expect(lines).toContainEqual(expect.stringMatching(/^payments +classic +complete +1 +1 +0 /));
  expect(lines).toContainEqual(expect.stringMatching(/^unread +classic +skipped +- +- +- +- /));
  const at = lines.findIndex((line) => line.startsWith("KEEPS FROM"));
  expect(lines.slice(at, at + 2)).toEqual([
    "KEEPS FROM        QUEUES  MESSAGES",
    `${first.id}       1        20`,
  ]);
});

test("a full backup keeps nothing", () => {
  expect(linesOf(first).join("\n")).not.toMatch(/KEPT|KEEPS/);
});

test("a mark is told", () => {
  expect(backupDetails({ manifest: first, marked: true }, painter(false))).toContain(
    "marked    no policy removes it",
  );
  expect(linesOf(first).join("\n")).not.toContain("marked");
});

test("JSON is the manifest and what follows from it", () => {
  expect(backupDetailsJson({ manifest: third, marked: true })).toMatchObject({
    ...third,
    marked: true,
    queues: [{ name: "orders", own: 1, kept: 11 }],
    measures: { ...third.measures, latencyMs: 15, storageUse: null },
    keepsFrom: [
      { backup: first.id, queues: 1, messages: 10 },
      { backup: second.id, queues: 1, messages: 1 },
    ],
  });
  expect(backupDetailsJson({ manifest: first, marked: false })).toMatchObject({
    keepsFrom: [],
    queues: [{ own: 30, kept: 0 }, {}, {}],
  });
});
