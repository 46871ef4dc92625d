import { beforeEach, expect, test } from "vitest";
import { ageKeyMaker } from "../../../src/adapters/encryption/key-maker.ts";
import { ageKeyring } from "../../../src/adapters/encryption/keyring.ts";
import { BackupError, hasCode } from "../../../src/domain/errors.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import type { Store } from "../../../src/ports/store.ts";
import { openedStore } from "../../../src/repository/opened-store.ts";
import { readManifest } from "../../../src/repository/manifest-reader.ts";
import { parseBackupId } from "../../../src/domain/backup-id.ts";
import { rekey } from "../../../src/usecases/rekey.ts";
import type { RekeyDeps, RekeyRequest } from "../../../src/usecases/rekey-types.ts";
import { Chain } from "../../fakes/chain.ts";
import { cloneOf } from "../../fakes/copy-lab.ts";
import { newReader, type Reader } from "../../fakes/encrypted-lab.ts";
import { leaseDeps } from "../../fakes/lease-lab.ts";
import type { MemoryStore } from "../../fakes/memory-store.ts";
import { message, messages } from "../../fakes/sample-backup.ts";

let before: Reader;
let now: Reader;
let chain: Chain;
let full: Manifest;
let last: Manifest;

const { signal } = new AbortController();

beforeEach(async () => {
  [before, now] = await Promise.all([newReader(), newReader()]);
  chain = new Chain({ q: messages(10) });
  chain.deps = before;
  full = await chain.full();
  chain.change("q", (records) => [...records, message(50)]);
  last = await chain.incremental();
});

async function run(more: Partial<RekeyDeps> = {}, request: Partial<RekeyRequest> = {}, during = signal) {
  const deps = {
    ...leaseDeps(),
    stores: [chain.store],
    keyring: before.keyring,
    keys: now.encryption.keys,
    ...more,
  };
  return rekey(deps, { backups: [], dryRun: false, breakLease: false, ...request }, during);
}

function bytesOf(store: MemoryStore): Map<string, string> {
  return new Map([...store.objects].map(([key, { bytes }]) => [key, Buffer.from(bytes).toString("hex")]));
}

function keyOf({ id }: Manifest): string {
  return `backups/${id}/key.age`;
}

/** Whether all of the manifest is to be had. */
async function opens(reader: Reader, store: Store, { id }: Manifest): Promise<boolean> {
  try {
    const opened = await readManifest(openedStore(store, reader.keyring), parseBackupId(id));
    return opened.stored !== undefined;
  } catch (error) {
    if (hasCode(error, "KEY_WRONG")) return false;
    throw error;
  }
}

test("all backups are for others, and nothing but their keys was written", async () => {
  const stored = bytesOf(chain.store);
  const result = await run();
  expect(result).toEqual({
    dryRun: false,
    targets: [
      {
        location: chain.store.location,
        rekeyed: [full.id, last.id],
        left: [],
        notEncrypted: [],
        unusable: [],
        failure: null,
      },
    ],
  });
  for (const each of [full, last]) {
    expect(await opens(now, chain.store, each)).toBe(true);
    expect(await opens(before, chain.store, each)).toBe(false);
  }
  const changed = [...bytesOf(chain.store)].filter(([key, bytes]) => stored.get(key) !== bytes);
  expect(changed.map(([key]) => key).toSorted()).toEqual([full, last].map(keyOf).toSorted());
});

test("the same key file goes to every target, so that copies stay copies", async () => {
  const other = cloneOf(chain.store);
  await run({ stores: [chain.store, other] });
  expect(bytesOf(other)).toEqual(bytesOf(chain.store));
  expect(await opens(now, other, last)).toBe(true);
});

test("a dry run opens every key and writes nothing", async () => {
  const stored = bytesOf(chain.store);
  const [target] = (await run({}, { dryRun: true })).targets;
  expect(target).toMatchObject({ rekeyed: [full.id, last.id], left: [], failure: null });
  expect(bytesOf(chain.store)).toEqual(stored);
  await expect(run({ keyring: now.keyring }, { dryRun: true })).rejects.toMatchObject({ code: "KEY_WRONG" });
});

test("one that nobody opens keeps all from being written", async () => {
  const stranger = await newReader();
  const other = cloneOf(chain.store);
  await run({ stores: [other], keys: stranger.encryption.keys }, { backups: [last.id] });
  const stored = [bytesOf(chain.store), bytesOf(other)];
  await expect(run({ stores: [chain.store, other] })).rejects.toMatchObject({
    code: "KEY_WRONG",
    message: `no identity that was given opens ${keyOf(last)} at ${other.location}`,
    hint: expect.stringContaining("after a rekey that was broken off"),
  });
  expect([bytesOf(chain.store), bytesOf(other)]).toEqual(stored);
});

test("only those asked for", async () => {
  const [target] = (await run({}, { backups: ["latest"] })).targets;
  expect(target).toMatchObject({ rekeyed: [last.id], left: [] });
  expect(await opens(before, chain.store, full)).toBe(true);
  expect(await opens(now, chain.store, last)).toBe(true);
});

test("broken off, some are for those of before, which is told, and a next run ends it", async () => {
  const lost = new BackupError("TARGET_FAILED", "the connection was lost");
  let puts = 0;
  const breaking: Store = {
    ...chain.store,
    put: async (key, body, options) => {
      if (key.endsWith("key.age") && (puts += 1) === 2) throw lost;
      return chain.store.put(key, body, options);
    },
  };
  const [broken] = (await run({ stores: [breaking] })).targets;
  expect(broken).toMatchObject({ rekeyed: [full.id], left: [last.id], failure: lost });
  expect(await opens(now, chain.store, full)).toBe(true);
  expect(await opens(before, chain.store, last)).toBe(true);
  await expect(run()).rejects.toMatchObject({ code: "KEY_WRONG" });
  // By its id, or with both.
  expect((await run({}, { backups: [last.id] })).targets[0]).toMatchObject({
    rekeyed: [last.id],
    failure: null,
  });
  expect((await run({ keyring: now.keyring })).targets[0]).toMatchObject({ left: [], failure: null });
});

test("backups that are not encrypted are told of, and refused when they are asked for", async () => {
  const plain = new Chain({ q: messages(3) });
  const manifest = await plain.full();
  const [target] = (await run({ stores: [plain.store] })).targets;
  expect(target).toMatchObject({ rekeyed: [], notEncrypted: [manifest.id] });
  await expect(run({ stores: [plain.store] }, { backups: [manifest.id] })).rejects.toMatchObject({
    code: "USAGE",
    message: `backup ${manifest.id} at ${plain.store.location} is not encrypted`,
  });
});

test("a key that is damaged, missing or another backup's is left, and the others are done", async () => {
  const damages: readonly ((store: MemoryStore) => void)[] = [
    (store) => store.objects.delete(keyOf(full)),
    (store) => store.objects.set(keyOf(full), { bytes: Buffer.from("x"), modifiedAt: new Date() }),
    (store) => {
      const another = store.objects.get(keyOf(last));
      if (another !== undefined) store.objects.set(keyOf(full), another);
    },
  ];
  for (const damage of damages) {
    const store = cloneOf(chain.store);
    damage(store);
    const stored = bytesOf(store).get(keyOf(full));
    const [target] = (await run({ stores: [store] })).targets;
    expect(target).toMatchObject({
      rekeyed: [last.id],
      left: [],
      unusable: [{ id: full.id }],
      failure: null,
    });
    expect(bytesOf(store).get(keyOf(full))).toBe(stored);
  }
});

test("a set that another run holds is left", async () => {
  const held: Store = {
    ...chain.store,
    put: async (key, body, options) => {
      if (key.startsWith("leases/")) throw new BackupError("LEASE_HELD", "another run holds it");
      return chain.store.put(key, body, options);
    },
  };
  const [target] = (await run({ stores: [held] })).targets;
  expect(target).toMatchObject({ rekeyed: [], left: [full.id, last.id], failure: { code: "LEASE_HELD" } });
});

test("from recipients to a passphrase, and to another one", async () => {
  const [one, two] = ["five horses", "six horses"].map((passphrase) => ({
    keys: ageKeyMaker({ passphrase, workFactor: 8 }),
    keyring: ageKeyring({ identities: [], passphrase }),
  }));
  await run({ keys: one?.keys ?? now.encryption.keys });
  await run({ keyring: one?.keyring ?? now.keyring, keys: two?.keys ?? now.encryption.keys });
  const reader = { ...now, keyring: two?.keyring ?? now.keyring };
  expect(await opens(reader, chain.store, last)).toBe(true);
  expect(await opens(before, chain.store, last)).toBe(false);
});
