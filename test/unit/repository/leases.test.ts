import { createHash } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import type { Lease } from "../../../src/domain/lease.ts";
import { Leases } from "../../../src/repository/leases.ts";
import { memoryStore, type MemoryStore } from "../../fakes/memory-store.ts";
import { withoutDelete } from "../../fakes/without-delete.ts";

const SET = "rabbit@rabbit1 /";
const FOLDER = "leases/6e1ad0291e40e0db-rabbit%40rabbit1%20%2F";
const LEASE: Lease = {
  id: "0123456789abcdef",
  set: SET,
  command: "full",
  holder: { host: "db1", machine: "1a2b3c4d", pid: 4711, run: "5e6f7a8b" },
  acquiredAt: new Date("2026-11-21T19:32:00Z"),
  expiresAt: new Date("2026-11-21T19:37:00Z"),
};

let store: MemoryStore;
let leases: Leases;

beforeEach(() => {
  store = memoryStore("/backups");
  leases = new Leases(store, SET);
});

test("a lease and its renewal are what FORMAT.md says, byte for byte", async () => {
  await leases.put(LEASE);
  await leases.renew(LEASE.id, new Date("2026-11-21T19:38:00Z"));
  expect(new Map([...store.objects].map(([key, { bytes }]) => [key, bytes.toString()]))).toEqual(
    new Map([
      [
        `${FOLDER}/0123456789abcdef.json`,
        sealed(`{
  "format": 1,
  "id": "0123456789abcdef",
  "set": "rabbit@rabbit1 /",
  "command": "full",
  "host": "db1",
  "machine": "1a2b3c4d",
  "pid": 4711,
  "run": "5e6f7a8b",
  "acquiredAt": "2026-11-21T19:32:00.000Z",
  "expiresAt": "2026-11-21T19:37:00.000Z",
`),
      ],
      [
        `${FOLDER}/0123456789abcdef.renewed.json`,
        sealed(`{
  "format": 1,
  "id": "0123456789abcdef",
  "expiresAt": "2026-11-21T19:38:00.000Z",
`),
      ],
    ]),
  );
});

test("where it may not be removed, a lease is said to be over, and is as good as gone", async () => {
  const kept = withoutDelete();
  const refusing = new Leases(kept, SET);
  await refusing.put(LEASE);
  await refusing.renew(LEASE.id, new Date("2026-11-21T19:38:00Z"));
  await refusing.remove(LEASE.id);
  const [lease, released, renewed] = ["", ".released", ".renewed"].map(
    (part) => `${FOLDER}/0123456789abcdef${part}.json`,
  );
  expect([...kept.objects.keys()].toSorted()).toEqual([lease, released, renewed]);
  expect(kept.objects.get(released ?? "")?.bytes.toString()).toBe(
    sealed(`{\n  "format": 1,\n  "id": "0123456789abcdef",\n`),
  );
  expect(await refusing.putAt(LEASE.id)).toBeNull();
  expect(await refusing.others("own")).toEqual([]);
  await refusing.sweep();
  expect(kept.objects.size).toBe(3);
  // Who may, tidies up: what says that it is over goes when nothing is left that it could be said of.
  const tidying = new Leases(kept.tidying, SET);
  await tidying.sweep();
  expect([...kept.objects.keys()]).toEqual([released]);
  await tidying.sweep();
  expect(kept.objects.size).toBe(0);
});

test("others are found with their latest end, one's own is not", async () => {
  await leases.put(LEASE);
  await leases.put({ ...LEASE, id: "other" });
  const renewed = new Date("2026-11-21T19:42:00Z");
  await leases.renew("other", renewed);
  expect(await leases.others(LEASE.id)).toEqual([
    {
      id: "other",
      lease: { ...LEASE, id: "other", expiresAt: renewed },
      damage: null,
      renewedAt: expect.any(Date),
    },
  ]);
});

test("a lease is put once", async () => {
  await leases.put(LEASE);
  await expect(leases.put(LEASE)).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
});

test("the age of a lease is that of the later of its two objects, by the target's clock", async () => {
  await leases.put(LEASE);
  const put = store.objects.get(`${FOLDER}/${LEASE.id}.json`);
  if (put === undefined) throw new Error("it is not there");
  store.objects.set(`${FOLDER}/${LEASE.id}.renewed.json`, {
    bytes: Buffer.from("?"),
    modifiedAt: new Date(put.modifiedAt.getTime() + 60_000),
  });
  const [found] = await leases.others("own");
  expect(found?.renewedAt.getTime()).toBe(put.modifiedAt.getTime() + 60_000);
  // And a damaged renewal leaves open whether it is in force.
  expect(found).toMatchObject({ lease: null, damage: { code: "MANIFEST_DAMAGED" } });
});

test("one of another name, copied there, is not taken for what it says", async () => {
  await leases.put(LEASE);
  const put = store.objects.get(`${FOLDER}/${LEASE.id}.json`);
  if (put === undefined) throw new Error("it is not there");
  store.objects.set(`${FOLDER}/copy.json`, put);
  expect(await leases.others(LEASE.id)).toMatchObject([{ id: "copy", lease: null }]);
});

test("sets that look alike have folders of their own", async () => {
  const long = "x".repeat(255);
  for (const set of [SET, `${SET} `, long, `${long.slice(1)}y`, "A", "a"]) {
    await new Leases(store, set).put({ ...LEASE, set });
  }
  expect(store.objects.size).toBe(6);
});

/** By hand, not by the code under test. */
function sealed(before: string): string {
  return `${before}  "sha256": "${createHash("sha256").update(before).digest("hex")}"\n}\n`;
}
