import { describe, expect, test } from "vitest";
import { BackupError, hasCode } from "../../src/domain/errors.ts";
import { list } from "../../src/usecases/list.ts";
import { failing } from "../fakes/failing.ts";
import { memoryStore } from "../fakes/memory-store.ts";
import { Life } from "../fakes/mortal.ts";
import {
  bodiesOf,
  expected,
  expectSound,
  killedAfter,
  names,
  newPlace,
  noisy,
  QUEUES,
  run,
  VOLUME,
  type Ended,
  type Place,
  type RunOptions,
} from "../fakes/resume-lab.ts";
import { verified } from "../fakes/verified.ts";

const HOUR = 3_600_000;

/** The run after one that was killed: what it went on with, if with anything, is not put again, and nothing else is left. */
async function expectGoneOn(place: Place): Promise<boolean> {
  const there = names(place.stores[0], VOLUME);
  const before = await expectSound(place);
  const again = await run(place);
  expect(again.error).toBeNull();
  expect(await expectSound(place)).toBe(before + 1);
  expect(names(place.journals, /./)).toEqual([]);
  const resumed = again.result?.resumed ?? null;
  if (resumed === null) return false;
  const putAgain = again.put.filter((key) => there.includes(key));
  const findings = await Promise.all(place.stores.map(async (store) => (await verified(store)).findings));
  const orphans = findings.flat();
  expect({ before, putAgain, orphans }).toEqual({ before: 0, putAgain: [], orphans: [] });
  expect(resumed.volumes).toBeGreaterThan(0);
  return true;
}

describe.each([
  [1, "before"],
  [1, "after"],
  [2, "after"],
] as const)("killed at every call, %i targets", (targets, when) => {
  test(`${when} it is done`, async () => {
    let resumed = 0;
    for (let end = 1; ; end += 1) {
      const place = newPlace(targets);
      const life = new Life(end, when);
      await run(place, { life });
      if (await expectGoneOn(place)) resumed += 1;
      if (!life.isOver) break;
    }
    expect(resumed).toBeGreaterThan(5);
  });
});

test("killed again at every call of the run that goes on", async () => {
  for (let end = 1; ; end += 1) {
    const place = newPlace();
    await killedAfter(place, 2);
    const life = new Life(end, end % 2 === 0 ? "before" : "after");
    await run(place, { life, queues: { ...QUEUES, b: [...QUEUES.b, ...noisy(20, 200)] } });
    const last = await run(place);
    expect(last.error).toBeNull();
    const { backups } = await list({ store: place.stores[0] }, { set: null });
    const newest = backups.at(-1)?.id ?? "";
    expect(await bodiesOf(place.stores[0], newest)).toEqual(expected(QUEUES));
    const { findings } = await verified(place.stores[0]);
    // Killed right after the commit.
    expect(findings.filter(({ file }) => file !== "begun.json")).toEqual([]);
    if (!life.isOver) break;
  }
});

test("what has changed meanwhile is stored anew, and volumes nothing is taken from go", async () => {
  const place = newPlace();
  await killedAfter(place, 4);
  const there = names(place.stores[0], VOLUME);
  const changed = { ...QUEUES, a: noisy(36, 300), new: noisy(3, 400) };
  const again = await run(place, { queues: changed });
  const { id = "", volumes = [] } = again.result?.manifests[0] ?? {};
  expect(again.result?.resumed).toMatchObject({ segments: expect.any(Number) as number });
  expect(await bodiesOf(place.stores[0], id)).toEqual(expected(changed));
  expect(names(place.stores[0], VOLUME)).toEqual(volumes.map(({ name }) => `backups/${id}/${name}`));
  expect(there.some((key) => !place.stores[0].objects.has(key))).toBe(true);
  expect((await verified(place.stores[0])).findings).toEqual([]);
});

test("queues that come and go keep what was stored of the others", async () => {
  const place = newPlace();
  await killedAfter(place, 4);
  const changed = { "0-before": noisy(5, 500), b: QUEUES.b, a: QUEUES.a };
  const again = await run(place, { queues: changed });
  const { id = "" } = again.result?.manifests[0] ?? {};
  expect(again.result?.resumed?.unusedBytes).toBe(0);
  expect(await bodiesOf(place.stores[0], id)).toEqual(expected(changed));
});

describe("what is left of an interrupted full is removed, and a new backup begun", () => {
  const old = { now: () => new Date(Date.now() + 25 * HOUR) };
  const soon = { now: () => new Date(Date.now() + HOUR) };
  const before = { now: () => new Date(Date.now() - 2 * HOUR) };

  test.each<[string, RunOptions]>([
    ["by a full a day later", { deps: old }],
    ["by one whose clock says a time before", { deps: { now: () => new Date(Date.now() - HOUR) } }],
    ["by an incremental", { request: { incremental: { base: null, requireBase: true } }, deps: soon }],
    ["by one that drains", { request: { drain: true }, deps: soon }],
  ])("%s", async (_what, options) => {
    const place = newPlace();
    await killedAfter(place, 2);
    await run({ ...place, journals: memoryStore("another state") }, { deps: before });
    const [folder = ""] = names(place.stores[0], /begun\.json$/).map((key) => key.split("/")[1]);
    const again = await run(place, options);
    expect(again.error).toBeNull();
    const manifests = again.result?.manifests ?? [];
    expect(again.result?.resumed).toBeNull();
    expect(manifests.map(({ id }) => id)).not.toContain(folder);
    expect(names(place.stores[0], new RegExp(`/${folder}/`))).toEqual([]);
    expect(names(place.journals, /./)).toEqual([]);
  });

  test("when the set has a newer one", async () => {
    const place = newPlace();
    await killedAfter(place, 2);
    const elsewhere = { ...place, journals: memoryStore("another state") };
    const later = { now: () => new Date(Date.now() + HOUR) };
    await run(elsewhere, { deps: later });
    const again = await run(place, { deps: { now: () => new Date(Date.now() + 2 * HOUR) } });
    expect(again.result?.resumed).toBeNull();
    expect(names(place.stores[0], VOLUME).every((key) => !key.includes("begun"))).toBe(true);
    expect(await expectSound(place)).toBe(2);
    expect(names(place.stores[0], /begun\.json$/)).toEqual([]);
  });
});

test("a set of another name, and other targets, leave it alone", async () => {
  const place = newPlace();
  await killedAfter(place, 2);
  const left = names(place.stores[0], VOLUME);
  const other = await run(place, { request: { set: "other" } });
  expect(other.result?.resumed).toBeNull();
  const more = await run({ ...place, stores: [...place.stores, memoryStore("further")] });
  expect(more.result?.resumed).toBeNull();
  expect(names(place.stores[0], VOLUME)).toEqual(expect.arrayContaining(left));
  // The set has a newer backup now.
  await run(place, { deps: { now: () => new Date(Date.now() + HOUR) } });
  expect(left.some((key) => place.stores[0].objects.has(key))).toBe(false);
});

test("a begun.json of somebody else under the same id: nothing there is touched", async () => {
  const place = newPlace();
  await killedAfter(place, 2);
  const [key = ""] = names(place.stores[0], /begun\.json$/);
  const own = place.stores[0].objects.get(key);
  const theirs = await run(newPlace());
  expect(theirs.error).toBeNull();
  place.stores[0].objects.delete(key);
  const left = names(place.stores[0], VOLUME);
  const again = await run(place);
  expect(own).toBeDefined();
  expect(again.result?.resumed).toBeNull();
  expect(names(place.stores[0], VOLUME)).toEqual(expect.arrayContaining(left));
});

describe("a run that fails", () => {
  async function failedBy(place: Place, error: BackupError, nth = 4): Promise<Ended> {
    using broken = failing(place.stores[0], [{ on: "put", key: /data-/, nth, error, lasting: true }]);
    return await run(place, { deps: { stores: [broken] } });
  }

  test("leaves what it has shipped, says so, and the next goes on", async () => {
    const place = newPlace();
    const { error } = await failedBy(
      place,
      new BackupError("TARGET_FAILED", "the network is gone", { hint: "Look." }),
    );
    expect(error).toMatchObject({
      code: "TARGET_FAILED",
      message: "the network is gone",
      hint: expect.stringMatching(/^Look\. 3 volumes of it, 1 MiB, stay at the targets/) as string,
    });
    const again = await run(place);
    expect(again.events).toContainEqual(expect.objectContaining({ kind: "resumed", volumes: 3 }));
    expect(again.result?.resumed).toMatchObject({ volumes: 3, unusedBytes: 0 });
    expect(await expectSound(place)).toBe(1);
    const [manifest] = again.result?.manifests ?? [];
    expect(manifest?.measures.storedBytes).toBe(
      [...(manifest?.volumes ?? []), ...(manifest ? [manifest.index] : [])].reduce(
        (sum, { bytes }) => sum + bytes,
        0,
      ),
    );
  });

  test.each(["TARGET_FULL", "INTERNAL", "INTERRUPTED"] as const)("with %s leaves nothing", async (code) => {
    const place = newPlace();
    const error = new BackupError(code, "no");
    expect((await failedBy(place, error)).error).toBe(error);
    expect(names(place.stores[0], /^backups/)).toEqual([]);
    expect(names(place.journals, /./)).toEqual([]);
  });

  test("before anything is shipped leaves nothing", async () => {
    const place = newPlace();
    const error = new BackupError("TARGET_FAILED", "no");
    expect((await failedBy(place, error, 1)).error).toBe(error);
    expect(names(place.stores[0], /^backups/)).toEqual([]);
    expect(names(place.journals, /./)).toEqual([]);
  });

  test("interrupted after it has gone on with another leaves nothing", async () => {
    const place = newPlace();
    await killedAfter(place, 2);
    const error = await failedBy(place, new BackupError("INTERRUPTED", "interrupted"), 1);
    expect(hasCode(error.error, "INTERRUPTED")).toBe(true);
    expect(names(place.stores[0], /^backups/)).toEqual([]);
  });
});

test("no place to note it, or one that fails at any call: the backup is made", async () => {
  const place = newPlace();
  const counted = failing(place.journals, []);
  await run(place, { deps: { journals: counted } });
  expect(counted.calls.length).toBeGreaterThan(10);
  const error = new BackupError("TARGET_REFUSED", "read-only");
  for (let nth = 1; nth <= counted.calls.length; nth += 1) {
    const again = newPlace();
    const broken = failing(again.journals, [{ nth, error, lasting: true }]);
    const { result } = await run(again, { deps: { journals: broken } });
    expect(await expectSound(again)).toBe(1);
    const told = result?.warnings.filter((warning) => warning.includes("read-only")) ?? [];
    const hasWritten = broken.calls.slice(nth - 1).some((call) => call.startsWith("put"));
    expect(told).toHaveLength(hasWritten ? 1 : 0);
  }
});

test("a run that was taken for dead puts and removes nothing any more", async () => {
  const place = newPlace();
  const stores = place.stores;
  let other: Ended | null = null;
  const first = await run(place, {
    deps: {
      stores: [
        {
          ...stores[0],
          put: async (key, body, options) => {
            await stores[0].put(key, body, options);
            if (!key.endsWith("data-00003.tar.zst") || other !== null) return;
            other = await run(place, { request: { breakLease: true } });
          },
        },
      ],
    },
  });
  expect(hasCode(first.error, "LEASE_HELD")).toBe(true);
  expect(other).toMatchObject({
    error: null,
    result: { resumed: { volumes: expect.any(Number) as number } },
  });
  expect(await expectSound(place)).toBe(1);
  expect((await verified(stores[0])).findings).toEqual([]);
});
