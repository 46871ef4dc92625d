import { buffer } from "node:stream/consumers";
import { beforeAll, expect, test } from "vitest";
import type { Manifest } from "../../../src/domain/manifest.ts";
import type { Store } from "../../../src/ports/store.ts";
import { storedFilesOf } from "../../../src/domain/manifest.ts";
import { decodeManifest } from "../../../src/repository/manifest-codec.ts";
import { bytesBody } from "../../../src/repository/objects.ts";
import { openedStore } from "../../../src/repository/opened-store.ts";
import { Chain } from "../../fakes/chain.ts";
import { newReader, NO_KEYS, type Reader } from "../../fakes/encrypted-lab.ts";
import { messages } from "../../fakes/sample-backup.ts";

let reader: Reader;
let chain: Chain;
let plain: Manifest;
let sealed: Manifest;

/** Two of one broker: one that is not encrypted, and one that is, of several volumes. */
beforeAll(async () => {
  reader = await newReader();
  chain = new Chain({ q: messages(120), r: messages(4) });
  plain = await chain.full({ set: "plain" });
  chain.deps = reader;
  sealed = await chain.full();
});

function keyOf({ id }: Manifest, name: string): string {
  return `backups/${id}/${name}`;
}

async function read(store: Store, key: string, range?: { offset: number; length: number }): Promise<Buffer> {
  return buffer(store.get(key, range && { range }));
}

test("what is stored is encrypted, with its key beside it, and no message is readable", () => {
  const names = [...chain.store.objects.keys()].flatMap((key) => /[^/]+F\/(.*)/.exec(key)?.slice(1) ?? []);
  const volumes = sealed.volumes.map(({ name }) => `${name}.age`);
  expect(volumes.length).toBeGreaterThan(1);
  expect(names.filter((name) => name.endsWith(".age")).toSorted()).toEqual([
    ...volumes,
    "index.tar.zst.age",
    "key.age",
  ]);
  for (const { name } of storedFilesOf(sealed))
    expect(chain.store.objects.get(keyOf(sealed, name))?.bytes.toString("latin1")).toMatch(
      /^age-encryption.org\/v1\n/,
    );
});

test("the manifest is the opened one, its files have their plain bytes and sizes", async () => {
  const store = openedStore(chain.store, reader.keyring);
  const manifest = decodeManifest(await read(store, keyOf(sealed, "manifest.json")), "m");
  expect(manifest).toEqual(sealed);
  const listed = new Map<string, number>();
  for await (const { key, bytes } of store.list(`backups/${sealed.id}/`)) listed.set(key, bytes);
  for (const { name, bytes, sha256 } of [...manifest.volumes, manifest.index]) {
    const key = keyOf(sealed, name);
    const whole = await read(store, key);
    expect(whole).toHaveLength(bytes);
    expect(listed.get(key)).toBe(bytes);
    const { createHash } = await import("node:crypto");
    expect(createHash("sha256").update(whole).digest("hex")).toBe(sha256);
    const range = { offset: 7, length: bytes - 11 };
    expect((await read(store, key, range)).equals(whole.subarray(7, -4))).toBe(true);
  }
  const keys: string[] = [];
  for await (const key of store.keys("backups/")) keys.push(key);
  expect(keys).toEqual(expect.arrayContaining([...listed.keys()]));
  await expect(read(store, keyOf(sealed, "data-00099.tar.zst"))).rejects.toMatchObject({
    code: "OBJECT_MISSING",
  });
});

test("a file is found without the manifest having been asked for", async () => {
  const bytes = await read(openedStore(chain.store, reader.keyring), keyOf(sealed, "index.tar.zst"));
  expect(bytes).toHaveLength(sealed.index.bytes);
});

test("without keys what is not encrypted is read as it is, and what is is refused", async () => {
  const store = openedStore(chain.store, NO_KEYS);
  const key = keyOf(plain, "manifest.json");
  expect((await read(store, key)).equals(await read(chain.store, key))).toBe(true);
  expect(await read(store, keyOf(plain, "index.tar.zst"))).toHaveLength(plain.index.bytes);
  for (const name of ["manifest.json", "index.tar.zst", "data-00001.tar.zst"])
    await expect(read(store, keyOf(sealed, name))).rejects.toMatchObject({ code: "KEY_WRONG" });
});

test("another's keys open nothing, and what is not encrypted is refused where keys are given", async () => {
  const other = openedStore(chain.store, (await newReader()).keyring);
  await expect(read(other, keyOf(sealed, "manifest.json"))).rejects.toMatchObject({ code: "KEY_WRONG" });
  const store = openedStore(chain.store, reader.keyring);
  for (const name of ["manifest.json", "index.tar.zst"]) {
    await expect(read(store, keyOf(plain, name))).rejects.toMatchObject({
      code: "MANIFEST_DAMAGED",
      message: expect.stringContaining("not encrypted"),
    });
  }
});

test("what cannot be opened is listed as it is stored", async () => {
  const other = openedStore(chain.store, (await newReader()).keyring);
  const listed: unknown[] = [];
  for await (const object of other.list("")) listed.push(object);
  const stored: unknown[] = [];
  for await (const object of chain.store.list("")) stored.push(object);
  expect(listed).toEqual(stored);
});

test("nothing is written through it", async () => {
  const store = openedStore(chain.store, reader.keyring);
  await expect(store.put("a", bytesBody(Buffer.from("x")))).rejects.toMatchObject({ code: "INTERNAL" });
  await expect(store.delete("a")).rejects.toMatchObject({ code: "INTERNAL" });
});
