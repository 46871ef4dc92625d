import { createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Manifest, QueueEntry, VolumeEntry } from "../../../src/domain/manifest.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { decodeManifest, encodeManifest } from "../../../src/repository/manifest-codec.ts";
import { openManifest, sealManifest } from "../../../src/repository/manifest-seal.ts";
import { OutlineScanner } from "../../../src/repository/outline-scanner.ts";
import { decodeDocument, encodeDocument } from "../../../src/repository/sealed-document.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { REPOSITORY, sampleBackup, tinyBackup, writeBackup } from "../../fakes/sample-backup.ts";

/** Frozen, as fixtures/format-1 is: a sealed manifest, its secret, and what it says when it is opened. */
const FIXTURE = path.resolve(import.meta.dirname, "../../../fixtures/sealed-manifest");

const anew = process.env["MQBACKUP_WRITE_FIXTURE"] ?? "";

let plain: Manifest;
let tiny: Manifest;
const secret = Buffer.alloc(32, 7);

/** With something in every place where a name may be. */
beforeAll(async () => {
  const written = await writeBackup(await createCatalog(memoryStore(), REPOSITORY), sampleBackup());
  tiny = await writeBackup(await createCatalog(memoryStore(), REPOSITORY), tinyBackup());
  const told: Partial<QueueEntry> = {
    vhost: "secret host",
    arguments: { "x-dead-letter-exchange": "secret exchange", "7": 1, "2": { a: [null] } },
    policy: "secret policy",
    effectivePolicy: { "dead-letter-routing-key": "secret key" },
    notes: ["secret note"],
    gaps: [{ code: "EXPIRED", message: "of the secret queue", messages: 3 }],
  };
  const [first, ...others] = written.queues;
  if (first === undefined) throw new Error("no queue");
  const skipped: QueueEntry = {
    ...others[1],
    ...first,
    ...told,
    ordinal: 9,
    name: "secret queue",
    messages: 0,
    bodyBytes: 0,
    content: [],
    segments: [],
    index: [],
    outcome: "skipped",
    skipped: { code: "QUEUE_BUSY", message: "the secret queue is busy", hint: "ask the secret team" },
  };
  const queues = [...others, { ...first, ...told, name: "secret queue of orders" }, skipped];
  const broker = { ...written.broker, url: "amqp://broker:5672/secret%20host" };
  plain = {
    ...written,
    broker,
    definitions: written.definitions.map((e) => ({ ...e, vhost: "secret host" })),
    queues,
  };
});

/** As stored: a little more than the plain ones. */
function encryptedFiles({ volumes, index }: Manifest): VolumeEntry[] {
  return [...volumes, index].map(({ name, bytes }, at) => ({
    name: `${name}.age`,
    bytes: bytes + 220,
    sha256: String(at).repeat(64).slice(0, 64),
  }));
}

function sealed(manifest: Manifest, namesHidden = false) {
  return sealManifest(manifest, { secret, files: encryptedFiles(manifest), namesHidden });
}

const CHANGED = { code: "MANIFEST_DAMAGED", message: expect.stringContaining("changed after it was sealed") };

describe.each([false, true])("names hidden: %s", (namesHidden) => {
  test("what was sealed is what is opened", () => {
    const { sealed: stored, opened } = sealed(plain, namesHidden);
    const bytes = encodeManifest(stored);
    expect(openManifest(bytes, secret, "manifest.json")).toEqual(opened);
    const { stored: form, encryption, ...rest } = opened;
    expect(rest).toEqual(plain);
    expect(encryption).toEqual({ namesHidden });
    expect(form?.files).toEqual(encryptedFiles(plain));
    expect(form?.sha256).toBe(decodeDocument(bytes, "m")["sha256"]);
    // The opened one is a document too, which the opening store gives.
    expect(decodeManifest(encodeManifest(opened), "m")).toEqual(opened);
  });

  test("what is stored is a manifest of the encrypted files, with all counts and no checksum of a part", () => {
    const { sealed: stored } = sealed(plain, namesHidden);
    const read = decodeManifest(encodeManifest(stored), "m");
    expect([...read.volumes, read.index]).toEqual(encryptedFiles(plain));
    expect(read.measures).toEqual(plain.measures);
    const text = Buffer.from(encodeManifest(stored)).toString();
    const sums = [
      ...plain.volumes,
      plain.index,
      ...plain.definitions,
      ...plain.queues.flatMap((q) => [...q.segments, ...q.index]),
    ];
    for (const { sha256 } of sums) expect(text).not.toContain(sha256);
    expect(read.queues.map(({ messages, outcome }) => ({ messages, outcome }))).toEqual(
      plain.queues.map(({ messages, outcome }) => ({ messages, outcome })),
    );
    const scanner = new OutlineScanner();
    scanner.add(encodeManifest(stored));
    expect(scanner.finish()).toMatchObject({ id: plain.id, encryption: { namesHidden } });
  });
});

test("with hidden names none is left, codes and counts are", () => {
  const { sealed: stored } = sealed(plain, true);
  const text = Buffer.from(encodeManifest(stored)).toString();
  for (const word of ["secret", "orders", "passwd", "events", "x-queue-type", "amqp://localhost:5672/"])
    expect(text).not.toContain(word);
  expect(stored.queues.at(-1)).toMatchObject({
    ordinal: 9,
    vhost: "vhost-00002",
    name: "queue-00009",
    skipped: { code: "QUEUE_BUSY", message: "", hint: null },
    gaps: [{ code: "EXPIRED", message: "", messages: 3 }],
  });
  expect(stored.definitions.map(({ vhost }) => vhost)).toEqual(["vhost-00002"]);
  expect(stored.broker.url).toBe("amqp://broker:5672");
});

test("a change anywhere is found, also when the document's checksum is made to fit", () => {
  const { sealed: stored } = sealed(tiny);
  const bytes = encodeManifest(stored);
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at);
    expect(() => openManifest(flipped, secret, "m"), `byte ${at}`).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(MANIFEST_DAMAGED|FORMAT_NEWER)$/) }),
    );
  }
  const content = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;
  for (const [place, changed] of changesOf(content)) {
    expect(() => openManifest(encodeDocument(changed), secret, "m"), place).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(MANIFEST_DAMAGED|FORMAT_NEWER)$/) }),
    );
  }
});

/** The document with one member left out, one value changed, or one that is not known added, at every place there is. */
function* changesOf(content: Record<string, unknown>): Generator<[string, Record<string, unknown>]> {
  const at = (path_: readonly string[], change: (inner: Record<string, unknown>, key: string) => void) => {
    const copy = structuredClone(content);
    let inner = copy;
    for (const key of path_.slice(0, -1)) inner = inner[key] as Record<string, unknown>;
    change(inner, path_.at(-1) ?? "");
    return copy;
  };
  function* walk(value: unknown, path_: readonly string[]): Generator<readonly string[]> {
    if (path_.length > 0) yield path_;
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) yield* walk(inner, [...path_, key]);
  }
  for (const place of walk(content, [])) {
    if (place[0] === "sha256") continue;
    const name = place.join(".");
    yield [
      `without ${name}`,
      at(
        place,
        (inner, key) =>
          void (Array.isArray(inner) ? inner.splice(Number(key), 1) : Reflect.deleteProperty(inner, key)),
      ),
    ];
    yield [`other ${name}`, at(place, (inner, key) => void (inner[key] = otherThan(inner[key])))];
    yield [
      `more than ${name}`,
      at(place, (inner) => void (Array.isArray(inner) ? inner.push(1) : (inner["more"] = 1))),
    ];
  }
}

function otherThan(value: unknown): unknown {
  if (typeof value === "number") return value + 1;
  if (typeof value === "boolean") return !value;
  if (typeof value === "string") return value.replace(/.$/, (last) => (last === "1" ? "2" : "1"));
  return value === null ? 0 : null;
}

test("another secret opens nothing, nor what was sealed for another manifest", () => {
  const { sealed: one } = sealed(plain);
  const { sealed: other } = sealed(tiny);
  const open =
    (manifest: Manifest, key: Uint8Array = secret) =>
    () =>
      openManifest(encodeManifest(manifest), key, "m");
  expect(open(one, randomBytes(32))).toThrow(expect.objectContaining(CHANGED));
  expect(open({ ...one, sealed: other.sealed ?? "" })).toThrow(expect.objectContaining(CHANGED));
  expect(open({ ...one, sealed: "AAAA" })).toThrow(expect.objectContaining(CHANGED));
  expect(open(plain)).toThrow(
    expect.objectContaining({ message: expect.stringContaining("it is not sealed") }),
  );
});

test("a manifest is plain, or sealed, or opened", () => {
  const { sealed: stored, opened } = sealed(tiny);
  const { encryption, sealed: text, ...rest } = stored;
  const refused: readonly (readonly [string, object])[] = [
    ["sealed: is missing", { ...rest, encryption }],
    ["sealed: is of encrypted backups alone", { ...tiny, sealed: text }],
    ["stored: is of encrypted backups alone", { ...tiny, stored: opened.stored }],
    ["sealed: is there though it was opened", { ...opened, sealed: text }],
    ["sealed:", { ...stored, sealed: "not base64!" }],
    ["volumes[0].name:", { ...stored, volumes: tiny.volumes }],
    ["index.name:", { ...stored, index: tiny.index }],
    ["volumes[0].name:", { ...opened, volumes: stored.volumes }],
    ["stored.files:", { ...opened, stored: { ...opened.stored, files: [] } }],
    ["stored.files:", { ...opened, stored: { ...opened.stored, files: [...tiny.volumes, tiny.index] } }],
  ];
  for (const [why, document] of refused) {
    expect(() => decodeManifest(encodeDocument({ ...document }), "m"), why).toThrow(
      expect.objectContaining({ code: "MANIFEST_DAMAGED", message: expect.stringContaining(why) }),
    );
  }
});

test("whatever queues are called, it comes back", () => {
  const name = fc.string({ minLength: 1, maxLength: 40, unit: "binary" });
  const settings = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(
      name,
      fc.string({ maxLength: 20 }),
      settings,
      fc.boolean(),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      (queue, vhost, free, hidden, key) => {
        const queues = tiny.queues.map((each) => ({ ...each, name: queue, vhost, arguments: free }));
        const manifest = decodeManifest(encodeManifest({ ...tiny, queues }), "m");
        const { sealed: stored, opened } = sealManifest(manifest, {
          secret: key,
          files: encryptedFiles(tiny),
          namesHidden: hidden,
        });
        expect(openManifest(encodeManifest(stored), key, "m")).toEqual(opened);
      },
    ),
  );
});

test.runIf(anew !== "")("the sealed manifest is made anew where MQBACKUP_WRITE_FIXTURE says", async () => {
  await mkdir(anew, { recursive: true });
  const { sealed: stored, opened } = sealed(plain, true);
  await writeFile(path.join(anew, "manifest.json"), encodeManifest(stored));
  await writeFile(path.join(anew, "opened.json"), encodeManifest(opened));
  expect(openManifest(encodeManifest(stored), secret, "m")).toEqual(opened);
  await writeFile(path.join(anew, "secret.hex"), `${secret.toString("hex")}\n`);
});

describe("the frozen one", () => {
  const read = async (name: string) => readFile(path.join(FIXTURE, name));
  const keyBytes = async () => Buffer.from((await read("secret.hex")).toString().trim(), "hex");

  test("says what it said", async () => {
    const opened = openManifest(await read("manifest.json"), await keyBytes(), "m");
    expect(opened).toEqual(decodeManifest(await read("opened.json"), "m"));
  });

  test("is opened by what the format's description says alone", async () => {
    const document = JSON.parse((await read("manifest.json")).toString()) as Record<string, string>;
    const { sealed: text = "", sha256: _, ...bound } = document;
    const hmac = (key: Uint8Array, data: Uint8Array) => createHmac("sha256", key).update(data).digest();
    const key = hmac(hmac(Buffer.alloc(32), await keyBytes()), Buffer.from("mqbackup manifest v1\u0001"));
    const bytes = Buffer.from(text, "base64");
    const decipher = createDecipheriv("chacha20-poly1305", key, Buffer.alloc(12), { authTagLength: 16 });
    decipher.setAAD(Buffer.from(JSON.stringify(bound)), { plaintextLength: bytes.length - 16 });
    decipher.setAuthTag(bytes.subarray(-16));
    const json = Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString();
    const { names, files } = JSON.parse(json) as {
      names: { queues: { name: string }[] };
      files: { bytes: number }[];
    };
    const opened = decodeManifest(await read("opened.json"), "m");
    expect(names.queues.map((queue) => queue.name)).toEqual(opened.queues.map((queue) => queue.name));
    expect(files.map((file) => file.bytes)).toEqual(
      [...opened.volumes, opened.index].map((file) => file.bytes),
    );
  });
});
