import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { backup } from "../../src/usecases/backup.ts";
import type { BackupEvent } from "../../src/usecases/backup-types.ts";
import { backupDeps, backupRequest, committed } from "../fakes/backup-lab.ts";
import { HeldQueues } from "../fakes/held-queues.ts";
import { memoryStore } from "../fakes/memory-store.ts";
import { messages } from "../fakes/sample-backup.ts";
import { slow } from "../fakes/slow-store.ts";
import { tempDirectory } from "../lab/temp.ts";

const NEVER = new AbortController().signal;
const VOLUME = /data-\d+/;

function volumesAt(store: ReturnType<typeof memoryStore>): number {
  return [...store.objects.keys()].filter((key) => VOLUME.test(key)).length;
}

test("a slow target lengthens no hold and keeps nothing from a fast one", async () => {
  await using temp = await tempDirectory();
  const [fast, kept] = [memoryStore("fast"), memoryStore("slow")];
  const second = slow(kept, VOLUME);
  const queues = new HeldQueues({ a: messages(400), b: messages(100) });
  const events: BackupEvent[] = [];
  const run = backup(backupDeps(queues, [fast, second], temp, events), backupRequest(["a", "b"]), NEVER);
  await expect.poll(() => volumesAt(fast)).toBeGreaterThan(4);
  await expect.poll(() => events.filter(({ kind }) => kind === "queue-finished").length).toBe(2);
  await expect.poll(() => queues.held.size).toBe(0);
  const volumes = volumesAt(fast);
  expect(second.waiting).toHaveLength(2);
  expect(events.map(({ kind }) => kind)).not.toContain("volume-shipped");
  expect(await readdir(temp.path)).toEqual(["spool"]);
  second.release();
  const { warnings } = await run;
  expect(warnings.filter((warning) => warning.includes("waited"))).toEqual([]);
  expect(volumesAt(fast)).toBe(volumesAt(kept));
  expect(volumes).toBeGreaterThanOrEqual(volumesAt(kept) - 1);
  for (const store of [fast, kept]) expect((await committed(store)).get("a")).toHaveLength(400);
  expect(await readdir(temp.path)).toEqual([]);
});

test("a spool that may not grow makes reading wait, and that is told", async () => {
  await using temp = await tempDirectory();
  const [fast, kept] = [memoryStore("fast"), memoryStore("slow")];
  const second = slow(kept, VOLUME);
  const queues = new HeldQueues({ a: messages(400) });
  const events: BackupEvent[] = [];
  const request = backupRequest(["a"], { volumeBytes: 4096, spoolMaxBytes: 3 * 4096 });
  const run = backup(backupDeps(queues, [fast, second], temp, events), request, NEVER);
  await expect.poll(() => events.some(({ kind }) => kind === "spool-full")).toBe(true);
  expect(queues.held.size).toBe(1);
  const [folder = ""] = await readdir(temp.join("spool"));
  const spooled = (await readdir(temp.join("spool", folder))).filter((name) => VOLUME.test(name));
  expect(spooled).toHaveLength(3);
  second.release();
  const { warnings } = await run;
  expect(warnings.join("\n")).toMatch(/reading waited \d+ s for the targets/);
  for (const store of [fast, kept]) expect((await committed(store)).get("a")).toHaveLength(400);
});

test("broken off while a target is slow: nothing is waited for, nothing is left", async () => {
  await using temp = await tempDirectory();
  const [fast, kept] = [memoryStore("fast"), memoryStore("slow")];
  const second = slow(kept, VOLUME);
  const queues = new HeldQueues({ a: messages(400) });
  const abort = new AbortController();
  const run = backup(backupDeps(queues, [fast, second], temp), backupRequest(["a"]), abort.signal);
  await expect.poll(() => second.waiting.length).toBe(2);
  abort.abort(new Error("enough"));
  await expect(run).rejects.toThrow("enough");
  expect(queues.held.size).toBe(0);
  for (const store of [fast, kept]) expect([...store.objects.keys()]).toEqual(["mqbackup-repository.json"]);
  expect(await readdir(temp.path)).toEqual([]);
});
