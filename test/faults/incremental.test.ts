import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BackupError } from "../../src/domain/errors.ts";
import type { MessageRecord } from "../../src/domain/message.ts";
import type { BackupDeps } from "../../src/usecases/backup-types.ts";
import { backupRequest } from "../fakes/backup-lab.ts";
import { Chain, INCREMENTAL, stored } from "../fakes/chain.ts";
import { failing } from "../fakes/failing.ts";
import { memoryStore } from "../fakes/memory-store.ts";
import { message, messages } from "../fakes/sample-backup.ts";

describe("an incremental", () => {
  test("stores what is new and names who holds the rest", async () => {
    const chain = new Chain({ a: messages(60), b: messages(30), empty: [] });
    const full = await chain.full();
    chain.change("a", (records) => [...records.slice(10), message(100)]);
    const first = await chain.incremental();
    expect(first).toMatchObject({ kind: "incremental", base: full.id, set: "s" });
    expect(first.id).toMatch(new RegExp(`^${full.id}_\\d{8}-\\d{6}I$`));
    expect(stored(first)).toEqual({ a: 1, b: 0, empty: 0 });
    chain.change("a", (records) => [...records.slice(0, 5), ...records.slice(7), message(101)]);
    const second = await chain.incremental();
    expect(second.base).toBe(first.id);
    expect(second.queues[0]?.content).toEqual([
      { kind: "kept", backup: full.id, ordinal: 1, first: 10, count: 5 },
      { kind: "kept", backup: full.id, ordinal: 1, first: 17, count: 43 },
      { kind: "kept", backup: first.id, ordinal: 1, first: 0, count: 1 },
      { kind: "new", first: 0, count: 1 },
    ]);
    expect(await chain.expectTrue()).toBe(3);
  });

  test.each<[string, (records: readonly MessageRecord[]) => readonly MessageRecord[], number]>([
    ["nothing happened", (records) => records, 0],
    ["the head was consumed", (records) => records.slice(20), 0],
    ["the middle was consumed", (records) => [...records.slice(0, 9), ...records.slice(30)], 0],
    ["messages came back at the end", (records) => [...records.slice(7), ...records.slice(0, 7)], 0],
    [
      "messages came back at the head, backwards",
      (records) => [...records.slice(9, 14).toReversed(), ...records.slice(0, 9)],
      0,
    ],
    ["it was emptied", () => [], 0],
    ["it was emptied and filled again", () => messages(80).slice(60), 20],
    ["it was filled again with the same", () => messages(60), 0],
    ["a message came twice", (records) => [...records, ...records.slice(0, 3)], 3],
    ["everything is the same message", () => Array.from({ length: 50 }, () => message(7)), 49],
  ])("%s", async (_, edit, news) => {
    const chain = new Chain({ a: messages(60) });
    await chain.full();
    chain.change("a", edit);
    expect(stored(await chain.incremental())).toEqual({ a: news });
    chain.change("a", (records) => [...records.slice(1), message(200)]);
    expect(stored(await chain.incremental())).toEqual({ a: 1 });
    expect(await chain.expectTrue()).toBe(3);
  });

  test("queues that are new, gone, and skipped in the base", async () => {
    const chain = new Chain({ a: messages(20), gone: messages(5) });
    await chain.full();
    chain.queues.messages.delete("gone");
    chain.change("b", () => messages(8));
    expect(stored(await chain.incremental())).toEqual({ a: 0, b: 8 });
    const unread = await chain.full({ selection: backupRequest(["b"]).selection });
    chain.truth.delete(unread.id);
    expect(stored(await chain.incremental())).toEqual({ a: 20, b: 0 });
    expect(await chain.expectTrue()).toBe(3);
  });

  test("of a set without a backup is a full, and says so; with --require-base it is refused", async () => {
    const chain = new Chain({ a: messages(5) });
    await expect(chain.run({ base: null, requireBase: true })).rejects.toMatchObject({
      code: "BACKUP_MISSING",
      message: expect.stringContaining("set s") as string,
      hint: expect.stringContaining("mqbackup full") as string,
    });
    await chain.full({ set: "other" });
    const { manifests, warnings, base } = await chain.run(INCREMENTAL);
    expect(manifests).toMatchObject([{ kind: "full", set: "s" }]);
    expect({ base, warnings }).toMatchObject({
      base: null,
      warnings: expect.arrayContaining([expect.stringContaining("this one is full")]) as string[],
    });
  });

  test("builds on the backup it is told to, of its own set only", async () => {
    const chain = new Chain({ a: messages(30) });
    const full = await chain.full();
    chain.change("a", (records) => [...records, message(100)]);
    await chain.incremental();
    const { manifests } = await chain.run({ base: full.id, requireBase: true });
    expect(manifests).toMatchObject([{ base: full.id }]);
    expect(manifests.map(stored)).toEqual([{ a: 1 }]);
    await expect(chain.run({ base: "20200101", requireBase: false })).rejects.toMatchObject({
      code: "BACKUP_MISSING",
    });
    await expect(chain.run({ base: full.id, requireBase: false }, { set: "t" })).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining("set s") as string,
    });
    expect(await chain.expectTrue()).toBe(3);
  });

  test("a clock that went back: the id is later than its base's all the same, and that is said", async () => {
    const chain = new Chain({ a: messages(30) });
    const full = await chain.full();
    chain.clock -= 3_600_000;
    const { manifests, warnings } = await chain.run(INCREMENTAL);
    const [incremental] = manifests;
    expect((incremental?.id ?? "").slice(full.id.length + 1) > full.id).toBe(true);
    expect(new Date(incremental?.startedAt ?? 0) < new Date(full.startedAt)).toBe(true);
    expect(warnings).toEqual(expect.arrayContaining([expect.stringContaining("clock")]));
    chain.change("a", (records) => records.slice(3));
    expect((await chain.incremental()).base).toBe(incremental?.id);
    expect(await chain.expectTrue()).toBe(3);
  });

  test.each(["manifest.json", "index.tar.zst"])(
    "a base with a damaged %s is refused, with a hint",
    async (file) => {
      const chain = new Chain({ a: messages(30) });
      const full = await chain.full();
      const key = `backups/${full.id}/${file}`;
      const kept = chain.store.objects.get(key);
      const bytes = Buffer.from(kept?.bytes ?? []);
      bytes[600] = (bytes[600] ?? 0) ^ 1;
      if (kept) chain.store.objects.set(key, { ...kept, bytes });
      const before = [...chain.store.objects.keys()];
      await expect(chain.run(INCREMENTAL)).rejects.toMatchObject({
        code: expect.stringMatching(/DAMAGED/) as string,
        message: expect.stringContaining("the base cannot be used") as string,
        hint: expect.stringContaining("--base") as string,
      });
      expect([...chain.store.objects.keys()]).toEqual(before);
      expect(chain.queues.held.size).toBe(0);
    },
  );

  test("a base that goes while the incremental runs: nothing is committed", async () => {
    const chain = new Chain({ a: messages(30) });
    const full = await chain.full();
    const report: BackupDeps["report"] = ({ kind }) => {
      if (kind === "queue-finished") chain.store.objects.delete(`backups/${full.id}/manifest.json`);
    };
    await expect(chain.run(INCREMENTAL, {}, { report })).rejects.toMatchObject({
      code: "BACKUP_MISSING",
      message: expect.stringContaining(full.id) as string,
    });
    expect([...chain.store.objects.keys()].filter((key) => key.includes("I/"))).toEqual([]);
  });

  test("every target must have what is kept", async () => {
    const chain = new Chain({ a: messages(30) });
    await chain.full();
    const other = memoryStore("other");
    await expect(chain.run(INCREMENTAL, {}, { stores: [chain.store, other] })).rejects.toMatchObject({
      code: "BACKUP_MISSING",
      message: expect.stringContaining("other") as string,
    });
    expect([...other.objects.keys()].filter((key) => key.startsWith("backups/"))).toEqual([]);
  });

  test("a dry run names the base and reads nothing", async () => {
    const chain = new Chain({ a: messages(30) });
    const full = await chain.full();
    const opened = chain.queues.opened.length;
    expect(await chain.run(INCREMENTAL, { dryRun: true })).toMatchObject({ base: full.id, manifests: [] });
    expect(chain.queues.opened).toHaveLength(opened);
  });
});

test("whatever happens to the queues between the runs of a chain, every backup holds its moment", async () => {
  const edit = fc.record({
    queue: fc.constantFrom("a", "b"),
    kind: fc.nat(4),
    at: fc.nat(40),
    count: fc.nat(9),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(edit, { maxLength: 4 }), { minLength: 1, maxLength: 4 }),
      async (rounds) => {
        const chain = new Chain({ a: messages(25), b: [] });
        await chain.full();
        let number = 1000;
        for (const edits of rounds) {
          for (const { queue, kind, at, count } of edits) {
            chain.change(queue, (records) => {
              const from = at % (records.length + 1);
              const rest = [...records];
              const taken = rest.splice(from, count);
              if (kind === 0) return rest;
              if (kind === 1) return [...rest, ...taken];
              if (kind === 2) return [...records, ...records.slice(from, from + count)];
              if (kind === 3) return [...records, ...Array.from({ length: count }, () => message(number++))];
              return [...taken.toReversed(), ...rest];
            });
          }
          await chain.incremental();
        }
        expect(await chain.expectTrue()).toBe(rounds.length + 1);
      },
    ),
    { numRuns: 25 },
  );
});

describe("a store that fails at every call of an incremental", () => {
  test.each(["before", "after"] as const)(
    "%s doing it: what is listed is whole, and the next run is not hindered",
    async (when) => {
      const calls = await changedChain(async (chain) => {
        using store = failing(chain.store, []);
        await chain.run(INCREMENTAL, {}, { stores: [store] });
        return store.calls.length;
      });
      expect(calls).toBeGreaterThan(10);
      for (let nth = 1; nth <= calls; nth += 1) {
        await changedChain(async (chain) => {
          const error = new BackupError("TARGET_FAILED", "the disk said no");
          {
            using store = failing(chain.store, [{ nth, when, error }]);
            const run = chain.run(INCREMENTAL, {}, { stores: [store] });
            const outcome = await run.catch((caught: unknown) => caught);
            const why = outcome instanceof Error ? outcome.message : error.message;
            expect(why).toContain(error.message);
          }
          expect(chain.queues.held.size).toBe(0);
          await chain.expectTrue();
          await chain.incremental();
          await chain.expectTrue();
        });
      }
    },
  );
});

/** A full backup, and queues that have gone on since. */
async function changedChain<T>(use: (chain: Chain) => Promise<T>): Promise<T> {
  const chain = new Chain({ a: messages(40), b: messages(20) });
  await chain.full();
  chain.change("a", (records) => [...records.slice(5), ...messages(60).slice(50)]);
  return use(chain);
}

test("interrupted after every event: nothing is committed and nothing is left", async () => {
  const reason = new BackupError("INTERRUPTED", "interrupted");
  let interruptions = 0;
  for (let nth = 1, interrupted = true; interrupted; nth += 1) {
    const chain = new Chain({ a: messages(40), b: messages(20) });
    await chain.full();
    chain.change("a", (records) => [...records.slice(5), ...messages(60).slice(50)]);
    const before = [...chain.store.objects.keys()];
    const abort = new AbortController();
    let seen = 0;
    const report = (): void => {
      seen += 1;
      if (seen === nth) abort.abort(reason);
    };
    const outcome = await chain
      .run(INCREMENTAL, {}, { report }, abort.signal)
      .catch((caught: unknown) => caught);
    interrupted = outcome === reason;
    expect(interrupted ? [...chain.store.objects.keys()] : before).toEqual(before);
    interruptions += interrupted ? 1 : 0;
    expect(chain.queues.held.size).toBe(0);
    await chain.expectTrue();
  }
  expect(interruptions).toBeGreaterThan(5);
});
