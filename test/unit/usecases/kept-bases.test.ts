import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parseBackupId } from "../../../src/domain/backup-id.ts";
import { BackupError } from "../../../src/domain/errors.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import type { MessageRecord } from "../../../src/domain/message.ts";
import type { Store } from "../../../src/ports/store.ts";
import { encodeDocument } from "../../../src/repository/sealed-document.ts";
import { readStoredManifest } from "../../../src/repository/manifest-reader.ts";
import { backupReading } from "../../../src/usecases/backup-reading.ts";
import type { BackupDeps, BackupResult } from "../../../src/usecases/backup-types.ts";
import { compact } from "../../../src/usecases/compact.ts";
import { tempDirectory } from "../../lab/temp.ts";
import { Chain, INCREMENTAL, stored } from "../../fakes/chain.ts";
import { compactDeps, compactRequest } from "../../fakes/compact-lab.ts";
import { newReader, NO_KEYS, type Reader } from "../../fakes/encrypted-lab.ts";
import { failing } from "../../fakes/failing.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { message, messages } from "../../fakes/sample-backup.ts";

const DAY = 86_400_000;
const { signal } = new AbortController();

let reader: Reader;
let state: MemoryStore;
let chain: Chain;

beforeAll(async () => {
  reader = await newReader();
});

beforeEach(() => {
  state = memoryStore("state");
  chain = new Chain({ a: messages(60), b: messages(30), empty: [] });
  chain.deps = { ...reader, bases: state };
});

/** Of a run that has recipients alone. It reads as a run of its own. */
function keyless(): Pick<BackupDeps, "reading" | "bases" | "encryption"> {
  return { encryption: reader.encryption, reading: backupReading(NO_KEYS, state), bases: state };
}

async function run(more: Partial<BackupDeps> = {}): Promise<BackupResult> {
  return chain.run(INCREMENTAL, {}, { ...keyless(), ...more });
}

function only({ manifests: [manifest] }: BackupResult): Manifest {
  if (manifest === undefined) throw new Error("no backup");
  return manifest;
}

/** But for what is said where there is no management API. */
function warningsOf({ warnings }: BackupResult): string[] {
  return warnings.filter((warning) => !warning.startsWith("without the management API"));
}

function keptOf({ stored: of }: Manifest): string[] {
  return [...state.objects.keys()].filter((key) => key.includes(`/${of?.sha256 ?? "none"}/`));
}

function edit(key: string, change: (content: Record<string, unknown>) => void): void {
  const content = JSON.parse(chain.store.objects.get(key)?.bytes.toString() ?? "") as Record<string, unknown>;
  change(content);
  chain.store.objects.set(key, { bytes: Buffer.from(encodeDocument(content)), modifiedAt: new Date() });
}

test("incrementals without a key store what those with one do, from the first on", async () => {
  const twin = new Chain(Object.fromEntries(chain.queues.messages));
  twin.deps = reader;
  const contents: unknown[] = [];
  for (const each of [chain, twin]) {
    if (each === chain) chain.deps = keyless();
    const full = await each.full();
    each.change("a", (records) => [...records.slice(10), message(100)]);
    const first = await each.incremental();
    each.change("a", (records) => [...records.slice(0, 5), ...records.slice(7), message(101)]);
    const second = await each.incremental();
    expect([first.base, second.base]).toEqual([full.id, first.id]);
    expect([stored(first), stored(second)]).toEqual([
      { a: 1, b: 0, empty: 0 },
      { a: 1, b: 0, empty: 0 },
    ]);
    contents.push(
      [first, second].map(({ queues, needs }) => [queues.map(({ content }) => content), needs?.length]),
    );
    each.deps = reader;
    expect(await each.expectTrue()).toBe(3);
  }
  expect(contents[0]).toEqual(contents[1]);
});

test("what is kept is fingerprints and manifests, and no message; targets have nothing plain", async () => {
  const full = await chain.full();
  expect(
    keptOf(full)
      .map((key) => key.replace(/.*\//, ""))
      .toSorted(),
  ).toEqual(["index.tar.zst", "manifest.json"]);
  for (const { bytes } of state.objects.values()) expect(bytes.toString("latin1")).not.toMatch(/message \d/);
  const index =
    state.objects.get(keptOf(full).find((key) => key.endsWith("zst")) ?? "")?.bytes ?? Buffer.alloc(0);
  for (const [key, { bytes }] of chain.store.objects) {
    expect(key).not.toMatch(/index\.tar\.zst$/);
    expect(bytes.includes(index)).toBe(false);
  }
});

test("of backups that are not encrypted nothing is kept", async () => {
  chain.deps = { bases: state };
  await chain.full();
  expect(state.objects.size).toBe(0);
});

describe("a full is made, and it is said why", () => {
  const expectFull = async (id: string): Promise<void> => {
    const result = await run();
    expect(result).toMatchObject({ base: null, partial: false, failure: null });
    expect(warningsOf(result)).toEqual([
      expect.stringMatching(
        new RegExp(`no key is given to read backup ${id}, and this machine .*: this one is full`),
      ),
    ]);
    expect(only(result).kind).toBe("full");
    // From there it goes on.
    expect((await run()).base).toBe(only(result).id);
  };

  const spoil: readonly (readonly [string, (keys: readonly string[]) => void])[] = [
    ["nothing was kept", (keys) => keys.forEach((key) => state.objects.delete(key))],
    ["the index is missing", (keys) => state.objects.delete(keys.find((key) => key.endsWith("zst")) ?? "")],
    ...["zst", "json"].map(
      (ending) =>
        [
          `a byte of ${ending} is another`,
          (keys: readonly string[]) => {
            const bytes = state.objects.get(keys.find((key) => key.endsWith(ending)) ?? "")?.bytes;
            bytes?.writeUInt8((bytes.readUInt8(40) ^ 1) & 0xff, 40);
          },
        ] as const,
    ),
  ];

  test.each(spoil)("%s, of the base", async (_, change) => {
    const full = await chain.full();
    change(keptOf(full));
    await expectFull(full.id);
  });

  test.each(spoil)("%s, of one it keeps messages of", async (_, change) => {
    const full = await chain.full();
    chain.change("a", (records) => [...records, message(100)]);
    await chain.incremental();
    change(keptOf(full));
    await expectFull(full.id);
  });

  test("the manifest at the target is another one than was made here", async () => {
    const full = await chain.full();
    edit(`backups/${full.id}/manifest.json`, (content) => (content["tool"] = { name: "x", version: "1" }));
    await expectFull(full.id);
  });

  test("what was kept is of another backup", async () => {
    const full = await chain.full();
    const before = keptOf(full);
    await chain.full();
    const newest = [...state.objects.keys()].filter((key) => !before.includes(key));
    for (const [at, key] of newest.toSorted().entries()) {
      const other = state.objects.get(before.toSorted()[at] ?? "");
      if (other) state.objects.set(key, other);
    }
    expect((await run()).base).toBeNull();
  });
});

test("with --require-base that is an error, before a queue is opened", async () => {
  await chain.full();
  state.objects.clear();
  const opened = chain.queues.opened.length;
  await expect(chain.run({ base: null, requireBase: true }, {}, keyless())).rejects.toMatchObject({
    code: "BACKUP_MISSING",
    message: expect.stringMatching(/no key is given/) as string,
  });
  expect(chain.queues.opened).toHaveLength(opened);
});

test("where nothing can be kept, that is a warning; where it cannot be read, a full", async () => {
  const refused = new BackupError("TARGET_REFUSED", "the state is read-only");
  using unwritable = failing(state, [{ on: "put", lasting: true, error: refused }]);
  const made = await chain.run(null, {}, { ...keyless(), bases: unwritable });
  expect(made).toMatchObject({ partial: false, failure: null });
  expect(warningsOf(made)).toEqual([
    expect.stringMatching(/could not be kept on this machine: the state is read-only/),
  ]);
  expect(state.objects.size).toBe(0);
  await chain.full();
  using unreadable = failing(state, [{ on: "get", lasting: true, error: refused }]);
  const next = await run({ reading: backupReading(NO_KEYS, unreadable) });
  expect(next).toMatchObject({ base: null, failure: null });
  expect(warningsOf(next)).toEqual([expect.stringMatching(/no key is given/)]);
  expect(next.targets).toMatchObject([{ result: "committed" }]);
});

test("what no backup needs any more goes after two days", async () => {
  const make = async (kind: "full" | "incremental", days: number): Promise<Manifest> => {
    chain.clock += days * DAY;
    chain.change("a", (records) => [...records, message(chain.clock % 1000)]);
    const made = await chain[kind]({});
    for (const key of keptOf(made)) {
      const { bytes = Buffer.alloc(0) } = state.objects.get(key) ?? {};
      state.objects.set(key, { bytes, modifiedAt: new Date(chain.clock) });
    }
    return made;
  };
  const foreign = { ...keyless() };
  await chain.run(null, { set: "other" }, foreign);
  const others = [...state.objects.keys()];
  const first = await make("full", 0);
  const second = await make("incremental", 1);
  const third = await make("incremental", 2.5);
  expect([first, second, third].map((each) => keptOf(each).length)).toEqual([2, 2, 2]);
  const again = await make("full", 1);
  expect([first, second, third, again].map((each) => keptOf(each).length)).toEqual([0, 0, 2, 2]);
  expect([...state.objects.keys()]).toEqual(expect.arrayContaining(others));
});

test("hidden names are known where what was kept is", async () => {
  const hiding = { ...reader.encryption, namesHidden: true };
  chain.deps = { ...keyless(), encryption: hiding };
  const full = await chain.full();
  const names = async (store: Store): Promise<string[]> => {
    const { manifest } = await readStoredManifest(store, parseBackupId(full.id), { signal });
    return manifest.queues.map(({ name }) => name);
  };
  expect(await names(chain.store)).toEqual(["queue-00001", "queue-00002", "queue-00003"]);
  expect(await names(keyless().reading.of(chain.store))).toEqual(["a", "b", "empty"]);
  const stuck = await chain.run(INCREMENTAL, {}, { ...keyless(), encryption: hiding });
  expect(stuck.base).toBe(full.id);
  expect(stored(only(stuck))).toEqual({ a: 0, b: 0, empty: 0 });
});

test("a compacted backup is built on as well", async () => {
  await chain.full();
  chain.change("a", (records) => [...records, message(100)]);
  const last = await chain.incremental();
  await using temp = await tempDirectory();
  const deps = { ...compactDeps([chain.store], temp), ...reader, bases: state };
  const { manifest, warnings } = await compact(deps, compactRequest(), signal);
  expect(warnings).toEqual([]);
  expect(manifest?.compactedFrom).toBe(last.id);
  const next = await run();
  expect(next.base).toBe(manifest?.id);
  expect(stored(only(next))).toEqual({ a: 0, b: 0, empty: 0 });
});

test("a stream goes on without a key; where retention took messages it is read anew, and says so", async () => {
  const stream = (from: number, to: number): MessageRecord[] =>
    Array.from({ length: to - from }, (_, at) => ({ ...message(from + at), streamOffset: from + at }));
  chain = new Chain({ s: stream(0, 40) }, "stream");
  chain.deps = keyless();
  await chain.full();
  chain.change("s", () => stream(0, 45));
  expect(stored(await chain.incremental())).toEqual({ s: 5 });
  chain.change("s", () => stream(12, 50));
  const anew = await chain.incremental();
  expect(stored(anew)).toEqual({ s: 38 });
  expect(anew.queues[0]).toMatchObject({
    outcome: "complete",
    notes: expect.arrayContaining([
      expect.stringMatching(/read from its beginning: .*without a key/),
    ]) as string[],
  });
  chain.deps = reader;
  expect(await chain.expectTrue()).toBe(3);
});
