import { beforeEach, describe, expect, test } from "vitest";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import { withCopies } from "../../../src/adapters/store/with-copies.ts";
import type { Fallback, Store } from "../../../src/ports/store.ts";
import { cat } from "../../../src/usecases/cat.ts";
import { show } from "../../../src/usecases/show.ts";
import { everyMessage } from "../../fakes/backup-lab.ts";
import { cloneOf, damage, FULL, LAST, runCopy, sampleSource } from "../../fakes/copy-lab.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { restoreLab } from "../../fakes/restore-lab.ts";
import { messages } from "../../fakes/sample-backup.ts";

let one: MemoryStore;
let two: MemoryStore;
let told: Fallback[];

beforeEach(async () => {
  one = await sampleSource();
  two = memoryStore("/copy");
  await runCopy(one, two);
  told = [];
});

function both(first: MemoryStore = one, second: MemoryStore = two): Store {
  return withCopies([first, second], (fallback) => told.push(fallback));
}

async function read(store: Store, backup = LAST): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const each of cat({ store, codec: inlineCodec({ level: 1 }) }, everyMessage(backup)))
    found.push(each);
  return found;
}

function objectsOf(store: MemoryStore): string[] {
  return [...store.objects.keys()].filter((key) => /(zst|manifest\.json|repository\.json)$/.test(key));
}

const FAULTS: readonly (readonly [string, (store: MemoryStore, key: string) => void])[] = [
  ["missing", (store, key) => void store.objects.delete(key)],
  ["damaged", damage],
  [
    "cut",
    (store, key) => {
      const kept = store.objects.get(key);
      if (kept !== undefined) store.objects.set(key, { ...kept, bytes: kept.bytes.subarray(0, 20) });
    },
  ],
];

describe.each(FAULTS)("any one object of the first is %s", (_what, spoil) => {
  test("every message is read all the same, and what was needed of it is told", async () => {
    const whole = await read(one);
    let needed = 0;
    for (const key of objectsOf(one)) {
      told = [];
      const spoilt = cloneOf(one);
      spoil(spoilt, key);
      expect(await read(both(spoilt))).toEqual(whole);
      expect(told.map((fallback) => fallback.key)).toEqual(told.length === 0 ? [] : [key]);
      needed += told.length;
      expect((await show({ store: both(spoilt) }, { backup: FULL })).manifest.id).toBe(FULL);
    }
    expect(needed).toBeGreaterThan(5);
  });

  test("and every other of the second: object by object from where it is whole", async () => {
    const whole = await read(one);
    const [first, second] = [cloneOf(one), cloneOf(two)];
    for (const [at, key] of objectsOf(one).entries()) spoil(at % 2 === 0 ? first : second, key);
    expect(await read(both(first, second))).toEqual(whole);
    expect(told.every(({ from }) => from === "/source")).toBe(true);
  });

  test("at both: the error names both", async () => {
    const key = `backups/${FULL}/manifest.json`;
    const [first, second] = [cloneOf(one), cloneOf(two)];
    for (const store of [first, second]) spoil(store, key);
    await expect(read(both(first, second), LAST)).rejects.toThrow(/\/source.*\/copy/);
  });
});

test("the first is gone altogether: told once", async () => {
  const whole = await read(two);
  expect(await read(both(memoryStore("/lost")), "latest")).not.toEqual([]);
  told = [];
  expect(await read(both(memoryStore("/lost")))).toEqual(whole);
  expect(told).toMatchObject([{ from: "/lost", to: "/copy", why: { code: "REPOSITORY_MISSING" } }]);
});

test("a backup that only the second has is found", async () => {
  for (const key of one.objects.keys()) if (key.includes(LAST)) one.objects.delete(key);
  expect(await read(both())).not.toEqual([]);
  expect(told.length).toBeGreaterThan(0);
});

describe("a restore", () => {
  test("takes a damaged, a cut and a missing volume from the other copy; all messages arrive", async () => {
    const lab = await restoreLab([{ name: "q", records: messages(200) }]);
    const copy = memoryStore("/copy");
    await runCopy(lab.store, copy);
    const volumes = [...lab.store.objects.keys()].filter((key) => key.includes("/data-"));
    expect(volumes.length).toBeGreaterThan(3);
    for (const [at, [, spoil]] of FAULTS.entries()) spoil(lab.store, volumes[at] ?? "");
    const store = both(lab.store, copy);
    const { queues, failure } = await lab.restore({}, undefined, { store });
    expect(failure).toBeNull();
    expect(queues).toMatchObject([{ outcome: "restored", confirmed: 200 }]);
    expect(told.map(({ key }) => key).toSorted()).toEqual(volumes.slice(0, 3));
  });

  test("of a volume that no copy has whole is refused before any message, naming both", async () => {
    const lab = await restoreLab([{ name: "q", records: messages(200) }]);
    const copy = memoryStore("/copy");
    await runCopy(lab.store, copy);
    const key = lab.volumeKey(0);
    lab.store.objects.delete(key);
    copy.objects.delete(key);
    const store = both(lab.store, copy);
    await expect(lab.restore({}, undefined, { store })).rejects.toMatchObject({
      code: "ARCHIVE_DAMAGED",
      message: /memory and \/copy is missing/,
    });
  });
});
