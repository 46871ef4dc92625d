import { beforeEach, describe, expect, test } from "vitest";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import { withCopies } from "../../../src/adapters/store/with-copies.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import type { Fallback, Store } from "../../../src/ports/store.ts";
import { encodeManifest } from "../../../src/repository/manifest-codec.ts";
import { sealOf } from "../../../src/repository/sealed-document.ts";
import { cat } from "../../../src/usecases/cat.ts";
import { compact } from "../../../src/usecases/compact.ts";
import { diff } from "../../../src/usecases/diff.ts";
import { everyMessage } from "../../fakes/backup-lab.ts";
import { Chain } from "../../fakes/chain.ts";
import { compactDeps, compactRequest } from "../../fakes/compact-lab.ts";
import { cloneOf } from "../../fakes/copy-lab.ts";
import { type MemoryStore } from "../../fakes/memory-store.ts";
import { restoreLab } from "../../fakes/restore-lab.ts";
import { message, messages } from "../../fakes/sample-backup.ts";
import { verified } from "../../fakes/verified.ts";
import { tempDirectory } from "../../lab/temp.ts";

const codec = inlineCodec({ level: 1 });
const { signal } = new AbortController();

let chain: Chain;
let full: Manifest;
let middle: Manifest;
let last: Manifest;

/** The last one keeps messages of the full alone; its base is the middle one. */
beforeEach(async () => {
  chain = new Chain({ q: messages(9), r: messages(3) });
  full = await chain.full();
  chain.change("r", (records) => [...records, message(50)]);
  middle = await chain.incremental();
  chain.change("r", () => []);
  last = await chain.incremental();
});

function keyOf({ id }: Manifest): string {
  return `backups/${id}/manifest.json`;
}

function sealIn(store: MemoryStore, manifest: Manifest): string {
  return sealOf(store.objects.get(keyOf(manifest))?.bytes ?? Buffer.alloc(0));
}

/** Another backup of the same id, whole in itself, with messages where the old one had them. */
function replaceManifest(store: MemoryStore, manifest: Manifest): void {
  const bytes = Buffer.from(encodeManifest({ ...manifest, finishedAt: "2026-11-21T23:00:00.000Z" }));
  store.objects.set(keyOf(manifest), { bytes, modifiedAt: new Date() });
}

async function readAll(store: Store): Promise<number> {
  let count = 0;
  for await (const _ of cat({ store, codec }, everyMessage(last.id))) count += 1;
  return count;
}

test("an incremental notes its base and those whose messages it keeps, as they are stored", () => {
  expect(full).not.toHaveProperty("needs");
  expect(middle.needs).toEqual([{ backup: full.id, sha256: sealIn(chain.store, full) }]);
  expect(last.needs).toEqual([
    { backup: full.id, sha256: sealIn(chain.store, full) },
    { backup: middle.id, sha256: sealIn(chain.store, middle) },
  ]);
});

const NOT_IT = { code: "MANIFEST_DAMAGED", message: expect.stringContaining("was built on") };

describe("when another backup lies in place of one whose messages are kept", () => {
  beforeEach(() => replaceManifest(chain.store, full));

  test("verify finds it, alone and with all others", async () => {
    const expected = { severity: "damage", code: "KEPT_MISSING", message: expect.stringContaining(full.id) };
    for (const backup of [null, last.id]) {
      const { findings } = await verified(chain.store, { backup });
      expect(findings.filter((finding) => finding.backup === last.id)).toMatchObject([expected]);
    }
  });

  test("it is refused by cat, diff and compact, and as the base's holder by an incremental", async () => {
    const { store } = chain;
    await using temp = await tempDirectory();
    await expect(readAll(store)).rejects.toMatchObject(NOT_IT);
    const asked = { first: middle.id, second: last.id, selects: () => true };
    await expect(diff({ store, codec }, asked)).rejects.toMatchObject(NOT_IT);
    await expect(
      compact(compactDeps([store], temp), compactRequest({ backup: last.id }), signal),
    ).rejects.toMatchObject(NOT_IT);
    const before = store.objects.size;
    await expect(chain.incremental()).rejects.toMatchObject(NOT_IT);
    expect(store.objects.size).toBe(before);
  });

  test("nothing is restored", async () => {
    const lab = await restoreLab([]);
    const wanted = { backup: last.id };
    await expect(lab.restore(wanted, signal, { store: chain.store })).rejects.toMatchObject(NOT_IT);
    expect(lab.broker.queues.size).toBe(0);
  });

  test("it is read from another copy, where the right one is", async () => {
    const good = cloneOf(chain.store);
    good.objects.set(keyOf(full), { bytes: Buffer.from(encodeManifest(full)), modifiedAt: new Date() });
    const told: Fallback[] = [];
    const copies = withCopies([chain.store, good], (fallback) => told.push(fallback));
    expect(await readAll(copies)).toBe(9);
    expect(told).toMatchObject([{ key: keyOf(full), why: NOT_IT }]);
  });
});

test("another backup in place of a base of which no message is kept is found, and keeps nothing from being read", async () => {
  replaceManifest(chain.store, middle);
  const { findings } = await verified(chain.store);
  expect(findings).toMatchObject([{ severity: "damage", code: "BASE_DIFFERS", backup: last.id }]);
  expect(await readAll(chain.store)).toBe(9);
});

test("a base that is gone is missed by nobody", async () => {
  for (const key of chain.store.objects.keys())
    if (key.startsWith(`backups/${middle.id}/`)) chain.store.objects.delete(key);
  expect((await verified(chain.store)).findings).toEqual([]);
});
