import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { withCopies } from "../../../src/adapters/store/with-copies.ts";
import { storedFilesOf, type Manifest } from "../../../src/domain/manifest.ts";
import type { Fallback, Store } from "../../../src/ports/store.ts";
import { openedStore } from "../../../src/repository/opened-store.ts";
import { encodeDocument } from "../../../src/repository/sealed-document.ts";
import { Chain } from "../../fakes/chain.ts";
import { cloneOf } from "../../fakes/copy-lab.ts";
import { newReader, type Reader } from "../../fakes/encrypted-lab.ts";
import type { MemoryStore } from "../../fakes/memory-store.ts";
import { restoreLab } from "../../fakes/restore-lab.ts";
import { message, messages } from "../../fakes/sample-backup.ts";
import { verified } from "../../fakes/verified.ts";

let reader: Reader;
let chain: Chain;
let full: Manifest;
let last: Manifest;
/** Another chain for the same readers, whose ids are the same. */
let other: Chain;

const { signal } = new AbortController();

async function newChain(first: number): Promise<Chain> {
  const made = new Chain({ q: messages(40).slice(first), r: messages(first + 3) });
  made.deps = reader;
  return made;
}

beforeAll(async () => {
  reader = await newReader();
  chain = await newChain(0);
  full = await chain.full();
  chain.change("r", (records) => [...records, message(50)]);
  last = await chain.incremental();
  other = await newChain(5);
  await other.full();
  other.change("r", (records) => [...records, message(60)]);
  await other.incremental();
});

function keyOf({ id }: Manifest, name: string): string {
  return `backups/${id}/${name}`;
}

function bytesOf(store: MemoryStore, key: string): Buffer {
  const kept = store.objects.get(key);
  if (kept === undefined) throw new Error(`no ${key}`);
  return Buffer.from(kept.bytes);
}

function put(store: MemoryStore, key: string, bytes: Uint8Array): void {
  store.objects.set(key, { bytes: Buffer.from(bytes), modifiedAt: new Date() });
}

/** As who owns the bucket can: the checksum of the document is made to fit. */
function edit(store: MemoryStore, manifest: Manifest, change: (content: Editable) => void): void {
  const key = keyOf(manifest, "manifest.json");
  const content = JSON.parse(bytesOf(store, key).toString()) as Editable;
  change(content);
  put(store, key, encodeDocument({ ...content }));
}

interface Editable {
  volumes: { name: string; bytes: number; sha256: string }[];
  index: { bytes: number; sha256: string };
  queues: { messages: number; name: string; outcome: string; content: object[] }[];
  startedAt: string;
  set: string;
  sealed: string;
  needs: { backup: string; sha256: string }[];
}

const [VOLUME, INDEX] = ["data-00001.tar.zst.age", "index.tar.zst.age"];

/** A file of the other chain, in the public manifest too. */
function swapFile(store: MemoryStore, name: string): void {
  const bytes = bytesOf(other.store, keyOf(full, name));
  put(store, keyOf(full, name), bytes);
  const file = { name, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  edit(store, full, (content) => {
    if (name === VOLUME) content.volumes[0] = file;
    else content.index = file;
  });
}

function replaceFolder(store: MemoryStore, from: MemoryStore, { id }: Manifest): void {
  for (const key of store.objects.keys()) if (key.startsWith(`backups/${id}/`)) store.objects.delete(key);
  for (const [key, kept] of from.objects) if (key.startsWith(`backups/${id}/`)) store.objects.set(key, kept);
}

const ATTACKS: readonly (readonly [string, (store: MemoryStore) => void | Promise<void>])[] = [
  [
    "the time of a manifest",
    (store) => edit(store, full, (it) => void (it.startedAt = "2026-11-21T19:30:00.000Z")),
  ],
  ["the set of a manifest", (store) => edit(store, last, (it) => void (it.set = "mine"))],
  [
    "the name of a queue",
    (store) => edit(store, full, (it) => void (it.queues[0] && (it.queues[0].name = "z"))),
  ],
  ["a queue left out of a manifest", (store) => edit(store, last, (it) => void it.queues.pop())],
  [
    "what is sealed of a manifest",
    (store) =>
      edit(store, full, (it) => void (it.sealed = it.sealed.replace(/^./, (a) => (a === "A" ? "B" : "A")))),
  ],
  [
    "a reference of an incremental",
    (store) =>
      edit(
        store,
        last,
        (it) => void (it.needs = it.needs.map((each) => ({ ...each, sha256: "0".repeat(64) }))),
      ),
  ],
  [
    "no references of an incremental",
    (store) => edit(store, last, (it) => void Reflect.deleteProperty(it, "needs")),
  ],
  ["a member that is not known", (store) => edit(store, full, (it) => void Object.assign(it, { more: 1 }))],
  [
    "a volume of another backup",
    (store) => put(store, keyOf(full, VOLUME), bytesOf(other.store, keyOf(full, VOLUME))),
  ],
  ["a volume of another backup, in the manifest too", (store) => swapFile(store, VOLUME)],
  ["the index of another backup, in the manifest too", (store) => swapFile(store, INDEX)],
  [
    "a volume that is cut, in the manifest too",
    (store) => {
      const bytes = bytesOf(store, keyOf(full, VOLUME)).subarray(0, -30);
      put(store, keyOf(full, VOLUME), bytes);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      edit(store, full, (it) => void (it.volumes[0] = { name: VOLUME, bytes: bytes.length, sha256 }));
    },
  ],
  [
    "a volume that is cut",
    (store) => put(store, keyOf(full, VOLUME), bytesOf(store, keyOf(full, VOLUME)).subarray(0, -1)),
  ],
  [
    "the key of another backup",
    (store) => put(store, keyOf(full, "key.age"), bytesOf(other.store, keyOf(full, "key.age"))),
  ],
  ["no key", (store) => void store.objects.delete(keyOf(full, "key.age"))],
  [
    "a key that is damaged",
    (store) => put(store, keyOf(full, "key.age"), Buffer.from("age-encryption.org/v1\nrubbish")),
  ],
  [
    "another manifest within the chain, with all its files",
    (store) => replaceFolder(store, other.store, full),
  ],
  [
    "a backup that is not encrypted in place of one that is",
    async (store) => {
      const bare = await newChain(0);
      bare.deps = {};
      await bare.full();
      replaceFolder(store, bare.store, full);
    },
  ],
  [
    "a manifest that says it is not encrypted",
    (store) =>
      edit(store, full, (it) => {
        for (const name of ["encryption", "sealed"]) Reflect.deleteProperty(it, name);
        for (const volume of it.volumes) volume.name = volume.name.replace(".age", "");
        Object.assign(it.index, { name: "index.tar.zst" });
      }),
  ],
];

function opened(store: Store): Store {
  return openedStore(store, reader.keyring);
}

/** Into queues that are there; gives what it failed with, and what was published. */
async function restored(store: Store) {
  const lab = await restoreLab([]);
  const { broker } = lab;
  for (const queue of ["q", "r"]) broker.add(queue);
  const failure = await lab.restore({ backup: last.id }, signal, { store }).then(
    (result) => result.failure,
    (error: unknown) => error,
  );
  return { failure, messages: ["q", "r"].map((queue) => broker.bodies(queue).length) };
}

const DAMAGED = { code: expect.stringMatching(/^(MANIFEST|ARCHIVE)_DAMAGED$/) };
const WHOLE = { failure: null, messages: [40, 4] };

test("untouched, it verifies and restores", async () => {
  expect([...other.store.objects.keys()].filter((key) => key.startsWith("backups"))).toEqual(
    [...chain.store.objects.keys()].filter((key) => key.startsWith("backups")),
  );
  await chain.expectTrue();
  expect(await restored(opened(chain.store))).toEqual(WHOLE);
});

describe.each(ATTACKS)("%s", (_what, attack) => {
  test("is found by verify, and keeps restore from publishing anything", async () => {
    const store = cloneOf(chain.store);
    await attack(store);
    for (const level of [{ kind: "records" }, { kind: "checksums" }] as const) {
      const { findings } = await verified(opened(store), { level });
      expect(findings.filter(({ severity }) => severity === "damage")).not.toEqual([]);
    }
    expect(await restored(opened(store))).toMatchObject({ failure: DAMAGED, messages: [0, 0] });
  });

  test("is of no matter where another copy is whole", async () => {
    const store = cloneOf(chain.store);
    await attack(store);
    const told: Fallback[] = [];
    const copies = withCopies([opened(store), opened(chain.store)], (fallback) => told.push(fallback));
    expect(await restored(copies)).toEqual(WHOLE);
    expect(told.length).toBeGreaterThan(0);
  });
});

test("what can be seen without keys is found without keys", async () => {
  for (const [what, attack] of ATTACKS.filter(([name]) =>
    /^(a volume (that is cut|of another backup)|no key)$/.test(name),
  )) {
    const store = cloneOf(chain.store);
    await attack(store);
    const { findings } = await verified(store, { level: { kind: "checksums" } });
    expect(
      findings.filter(({ severity }) => severity === "damage"),
      what,
    ).not.toEqual([]);
  }
  expect((await verified(chain.store, { level: { kind: "checksums" } })).findings).toEqual([]);
  expect(storedFilesOf(full).every(({ name }) => name.endsWith(".age"))).toBe(true);
});
