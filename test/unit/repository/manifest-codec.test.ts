import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { Manifest } from "../../../src/domain/manifest.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { decodeManifest, encodeManifest } from "../../../src/repository/manifest-codec.ts";
import { encodeDocument } from "../../../src/repository/sealed-document.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { REPOSITORY, sampleBackup, writeBackup } from "../../fakes/sample-backup.ts";

let manifest: Manifest;

beforeAll(async () => {
  const catalog = await createCatalog(memoryStore(), REPOSITORY);
  manifest = await writeBackup(catalog, sampleBackup());
});

/** The manifest with one value changed, sealed as if that were right. `place`: "queues.0.segments.1.offset". */
function tampered(place: string, value: unknown): Uint8Array {
  const copy = JSON.parse(JSON.stringify(manifest)) as Record<string, unknown>;
  const parts = place.split(".");
  let inner: Record<string, unknown> = copy;
  for (const part of parts.slice(0, -1)) inner = inner[part] as Record<string, unknown>;
  const last = parts.at(-1) ?? "";
  if (value === undefined) Reflect.deleteProperty(inner, last);
  else inner[last] = value;
  return encodeDocument(copy);
}

function expectRefused(place: string, value: unknown, field: string): void {
  expect(
    () => decodeManifest(tampered(place, value), "manifest.json"),
    `${place} = ${String(value)}`,
  ).toThrow(
    expect.objectContaining({
      code: "MANIFEST_DAMAGED",
      message: expect.stringContaining(`manifest.json is damaged: ${field}:`),
    }),
  );
}

test("what was written is what is read, and written again the same bytes", () => {
  const bytes = encodeManifest(manifest);
  const read = decodeManifest(bytes, "manifest.json");
  expect(read).toEqual(manifest);
  expect(Buffer.from(encodeManifest(read)).equals(bytes)).toBe(true);
});

test("the example in the format's description is a manifest", async () => {
  const text = await readFile(path.resolve(import.meta.dirname, "../../../src/repository/FORMAT.md"), "utf8");
  const example = JSON.parse(/```json\n(.*?)```/s.exec(text)?.[1] ?? "") as Record<string, unknown>;
  const { sha256, ...content } = example;
  expect(sha256).toBeDefined();
  expect(decodeManifest(encodeDocument(content), "manifest.json")).toEqual(content);
});

test("equal manifests are equal bytes, in whatever order they were put together", () => {
  const reversed = reverseKeys(JSON.parse(JSON.stringify(manifest))) as Manifest;
  expect(Object.keys(reversed)).not.toEqual(Object.keys(manifest));
  expect(Buffer.from(encodeManifest(reversed)).equals(encodeManifest(manifest))).toBe(true);
});

test("unknown fields are ignored", () => {
  expect(decodeManifest(tampered("future", { a: 1 }), "manifest.json")).toEqual(manifest);
  expect(decodeManifest(tampered("queues.0.future", "x"), "manifest.json")).toEqual(manifest);
});

test("a newer format names both numbers", () => {
  expect(() => decodeManifest(tampered("format", 2), "manifest.json")).toThrow(
    expect.objectContaining({ code: "FORMAT_NEWER", message: expect.stringMatching(/format 2.*up to 1/) }),
  );
});

test("a missing field is named", () => {
  for (const field of ["id", "kind", "queues", "volumes", "index", "measures", "definitions", "broker.url"]) {
    expectRefused(field, undefined, field);
  }
  expectRefused("queues.0.segments.0.sha256", undefined, "queues[0].segments[0].sha256");
});

test("files have no paths and no other names than theirs", () => {
  const names = [
    "../data-00001.tar.zst",
    "/etc/passwd",
    "data-00000.tar.zst",
    "data-1.tar.zst",
    "data-000001.tar.zst",
    "data-00001.tar.zst.age",
    "data-00001.tar.zst\n",
    "manifest.json",
    "",
  ];
  for (const name of names) expectRefused("volumes.0.name", name, "volumes[0].name");
  const [first] = manifest.volumes;
  for (const name of [first?.name, "data-00000.tar.zst"])
    expectRefused("volumes.1.name", name, "volumes[1].name");
  for (const name of ["../index.tar.zst", "data-00001.tar.zst", ""])
    expectRefused("index.name", name, "index.name");
  for (const id of ["../20261121-193200F", "20261121-193200", "", "20261121-193200F/.."])
    expectRefused("id", id, "id");
});

test("numbers of volumes ascend, and need not be without gaps", () => {
  const last = manifest.volumes.length - 1;
  expect(last).toBeGreaterThan(0);
  for (const name of ["data-00017.tar.zst", "data-100000.tar.zst"]) {
    const read = decodeManifest(tampered(`volumes.${last}.name`, name), "manifest.json");
    expect(read.volumes.at(-1)).toMatchObject({ name });
  }
});

test("absurd numbers are refused before anything is read", () => {
  const numbers = [-1, 0.5, 2 ** 53, 1e300, "7", null, Number.NaN];
  for (const value of numbers) {
    expectRefused("queues.0.segments.0.offset", value, "queues[0].segments[0].offset");
    expectRefused("queues.0.segments.0.length", value, "queues[0].segments[0].length");
    expectRefused("queues.0.segments.0.plainBytes", value, "queues[0].segments[0].plainBytes");
    expectRefused("queues.0.segments.0.records", value, "queues[0].segments[0].records");
    expectRefused("queues.0.index.0.plainBytes", value, "queues[0].index[0].plainBytes");
    expectRefused("queues.0.messages", value, "queues[0].messages");
    expectRefused("volumes.0.bytes", value, "volumes[0].bytes");
    expectRefused("definitions.0.plainBytes", value, "definitions[0].plainBytes");
  }
  expectRefused("queues.0.segments.0.plainBytes", 2 ** 30 + 1, "queues[0].segments[0].plainBytes");
  expectRefused("definitions.0.plainBytes", 2 ** 40, "definitions[0].plainBytes");
  expectRefused("queues.0.index.0.plainBytes", 2 ** 31, "queues[0].index[0].plainBytes");
  expectRefused("queues.0.segments.0.length", 2 ** 32, "queues[0].segments[0].length");
  expectRefused("queues.0.segments.0.length", 0, "queues[0].segments[0].length");
  // More records than bytes could hold.
  expectRefused("queues.0.segments.0.records", 1_000_000, "queues[0].segments[0].records");
});

test("ranges lie within their file and apart", () => {
  const first = manifest.volumes[0]?.bytes ?? 0;
  expectRefused("queues.0.segments.0.offset", first, "queues[0].segments[0].length");
  expectRefused("queues.0.segments.0.offset", 2 ** 53 - 1, "queues[0].segments[0].length");
  expectRefused("queues.0.segments.0.volume", manifest.volumes.length + 1, "queues[0].segments[0].volume");
  expectRefused("queues.0.segments.0.volume", 0, "queues[0].segments[0].volume");
  expectRefused("definitions.0.volume", 99, "definitions[0].volume");
  expectRefused("queues.0.index.0.offset", manifest.index.bytes, "queues[0].index[0].length");

  const twice = JSON.parse(JSON.stringify(manifest)) as Record<string, never>;
  const [one, two] = manifest.queues[0]?.segments ?? [];
  Object.assign(twice["queues"]?.[0]?.["segments"]?.[1] ?? {}, { offset: one?.offset, volume: one?.volume });
  expect(two).toBeDefined();
  expect(() => decodeManifest(encodeDocument(twice), "manifest.json")).toThrow(
    expect.objectContaining({ code: "MANIFEST_DAMAGED", message: expect.stringContaining("overlaps") }),
  );
});

test("counting must come out the same everywhere", () => {
  expectRefused("queues.0.messages", 29, "queues[0].messages");
  expectRefused("queues.0.segments.1.first", 0, "queues[0].segments[1].first");
  expectRefused("queues.0.content.0.count", 31, "queues[0].content");
  expectRefused("queues.0.content.0.first", 1, "queues[0].content[0].first");
  expectRefused("queues.0.content", [], "queues[0].content");
  expectRefused("queues.0.index", [], "queues[0].index");
  expectRefused("queues.0.index.0.records", 9, "queues[0].index[0].plainBytes");
  expectRefused("queues.0.segments", [], "queues[0].content");
});

test("one queue is there once", () => {
  expectRefused("queues.1.ordinal", 1, "queues[1].ordinal");
  expectRefused("queues.1.name", "orders", "queues[1].name");
});

test("what a full backup was compacted from is told, and only by a full one", () => {
  const compacted = { ...manifest, compactedFrom: "20261120-193200F_20261121-193159I" };
  const read = (document: object) => decodeManifest(encodeDocument({ ...document }), "manifest.json");
  expect(read(compacted)).toEqual(compacted);
  expect(read(manifest)).not.toHaveProperty("compactedFrom");
  expectRefused("compactedFrom", null, "compactedFrom");
  expectRefused("compactedFrom", "../20261121-193200F", "compactedFrom");
  const id = "20261121-193200F_20261122-020000I";
  expect(() => read({ ...compacted, id, kind: "incremental", base: "20261121-193200F" })).toThrow(
    expect.objectContaining({ message: expect.stringContaining("compactedFrom:") }),
  );
});

test("kind, id and base agree", () => {
  expectRefused("kind", "incremental", "kind");
  expectRefused("kind", "differential", "kind");
  expectRefused("base", "20261120-000000F", "base");
  const incremental = { ...manifest, id: "20261121-193200F_20261122-020000I", kind: "incremental" };
  const read = (base: string | null) =>
    decodeManifest(encodeDocument({ ...incremental, base }), "manifest.json");
  expect(read("20261121-193200F").base).toBe("20261121-193200F");
  for (const base of [null, "20261120-193200F", "20261121-193200F_20261122-020000I"]) {
    expect(() => read(base)).toThrow(expect.objectContaining({ message: expect.stringContaining("base:") }));
  }
});

test("a full backup keeps nothing elsewhere, an incremental may", () => {
  const kept = { kind: "kept", backup: "20261121-193200F", ordinal: 1, first: 0, count: 30 };
  expectRefused("queues.0.content.0", kept, "queues[0].content[0].kind");
  const queue = { ...manifest.queues[0], segments: [], index: [], content: [kept] };
  const incremental = {
    ...manifest,
    id: "20261121-193200F_20261122-020000I",
    kind: "incremental",
    base: "20261121-193200F",
    queues: [queue],
  };
  expect(decodeManifest(encodeDocument(incremental), "m").queues[0]?.content).toEqual([kept]);
  const outside = { ...queue, content: [{ ...kept, backup: "../x" }] };
  expect(() => decodeManifest(encodeDocument({ ...incremental, queues: [outside] }), "m")).toThrow(
    expect.objectContaining({ message: expect.stringContaining("queues[0].content[0].backup:") }),
  );
});

test("what is needed is noted whole, and by incrementals alone", () => {
  const reference = { backup: "20261121-193200F", sha256: "a".repeat(64) };
  expectRefused("needs", [reference], "needs");
  const other = { ...reference, backup: "20261121-193200F_20261122-000000I" };
  const kept = { kind: "kept", backup: other.backup, ordinal: 1, first: 0, count: 30 };
  const incremental = {
    ...manifest,
    id: "20261121-193200F_20261122-020000I",
    kind: "incremental",
    base: reference.backup,
    queues: [{ ...manifest.queues[0], segments: [], index: [], content: [kept] }],
  };
  const read = (needs: unknown) => decodeManifest(encodeDocument({ ...incremental, needs }), "m");
  expect(read([reference, other]).needs).toEqual([reference, other]);
  expect(decodeManifest(encodeDocument(incremental), "m")).not.toHaveProperty("needs");
  const refused: readonly (readonly [unknown, string])[] = [
    [[reference], "needs: backup 20261121-193200F_20261122-000000I"],
    [[other], "needs: backup 20261121-193200F is"],
    [[reference, other, other], "needs[2].backup: is there twice"],
    [[{ ...reference, sha256: "A".repeat(64) }, other], "needs[0].sha256:"],
    [[{ ...reference, backup: "../x" }, other], "needs[0].backup:"],
    [null, "needs:"],
  ];
  for (const [needs, why] of refused) {
    expect(() => read(needs), why).toThrow(
      expect.objectContaining({ code: "MANIFEST_DAMAGED", message: expect.stringContaining(why) }),
    );
  }
});

test("settings that try to change what objects are stay settings", () => {
  const text = JSON.stringify(manifest).replace(
    '"arguments":{}',
    '"arguments":{"__proto__":{"polluted":true}}',
  );
  const read = decodeManifest(encodeDocument(JSON.parse(text) as Record<string, unknown>), "manifest.json");
  expect(Object.getPrototypeOf(read.queues[0]?.arguments)).toBe(Object.prototype);
  expect(Reflect.get({}, "polluted")).toBeUndefined();
});

test("deep nesting is damage, not a crash", () => {
  const deep = `${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`;
  const head = `{\n  "format": 1,\n  "x": ${deep},\n`;
  const sum = createHash("sha256").update(head).digest("hex");
  const bytes = Buffer.from(`${head}  "sha256": "${sum}"\n}\n`);
  expect(() => decodeManifest(bytes, "manifest.json")).toThrow(
    expect.objectContaining({ code: "MANIFEST_DAMAGED" }),
  );
});

test("a manifest that could not be read back is not written", () => {
  const wrong = { ...manifest, volumes: [] };
  expect(() => encodeManifest(wrong)).toThrow(expect.objectContaining({ code: "INTERNAL" }));
});

function reverseKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reverseKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, inner]) => [key, reverseKeys(inner)]),
  );
}
