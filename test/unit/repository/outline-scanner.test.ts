import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { outlineOf } from "../../../src/domain/backup-outline.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { encodeManifest } from "../../../src/repository/manifest-codec.ts";
import { OutlineScanner } from "../../../src/repository/outline-scanner.ts";
import { encodeDocument } from "../../../src/repository/sealed-document.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { messages, REPOSITORY, sampleBackup, writeBackup } from "../../fakes/sample-backup.ts";

let full: Manifest;
let incremental: Manifest;

/** Text that would mislead a search that does not know strings from structure. */
const HOSTILE = '\n      "outcome": "skipped",\n      "ordinal": 7,\n  "queues": [\n  "measures": {';

beforeAll(async () => {
  const catalog = await createCatalog(memoryStore(), REPOSITORY);
  const sample = {
    ...sampleBackup(),
    queues: [
      ...sampleBackup().queues,
      {
        name: HOSTILE,
        vhost: `größe ${HOSTILE}`,
        records: messages(2),
        entry: {
          outcome: "partial" as const,
          arguments: { ordinal: 1, vhost: "no", outcome: "skipped", [HOSTILE]: { outcome: "skipped" } },
          gaps: [{ code: "TAKEN", message: HOSTILE, messages: 1 }],
          notes: [HOSTILE],
        },
      },
    ],
  };
  full = await writeBackup(catalog, sample);
  const next = { ...sample, now: new Date("2026-11-22T02:00:00Z") };
  incremental = await writeBackup(catalog, { ...next, base: { manifest: full, sample } });
});

function scan(bytes: Uint8Array, cuts: readonly number[] = []) {
  const scanner = new OutlineScanner();
  let from = 0;
  for (const to of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    // In memory of their own, as a store gives them.
    scanner.add(new Uint8Array(bytes.subarray(from, to)));
    from = to;
  }
  return scanner.finish();
}

/** Long enough for its middle to be let go of. */
function large(): Manifest {
  const [queue] = incremental.queues;
  if (queue === undefined) throw new Error("no queue");
  const more = Array.from({ length: 300 }, (_, n) => ({
    ...queue,
    ordinal: n + 100,
    name: `q${n}`,
    vhost: `v${n % 3}`,
    outcome: n % 5 === 0 ? ("skipped" as const) : ("complete" as const),
    messages: 0,
    content: [],
    segments: [],
    index: [],
  }));
  return { ...incremental, queues: [...incremental.queues, ...more] };
}

test("finds what decoding finds, however the bytes come", () => {
  for (const manifest of [
    full,
    incremental,
    large(),
    { ...full, queues: [], volumes: [], definitions: [] },
  ]) {
    const bytes = encodeManifest(manifest);
    expect(scan(bytes)).toEqual(outlineOf(manifest));
    const cuts = fc.array(fc.nat({ max: bytes.length }), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, (places) => {
        expect(scan(bytes, places)).toEqual(outlineOf(manifest));
      }),
      { numRuns: 60 },
    );
  }
});

test("members it does not know change nothing", () => {
  const { sha256: _, ...content } = JSON.parse(Buffer.from(encodeManifest(full)).toString()) as Record<
    string,
    unknown
  >;
  const later = encodeDocument({ later: { queues: [] }, ...content, also: [{ vhost: "x", outcome: "y" }] });
  expect(scan(later)).toEqual(outlineOf(full));
});

test("no damaged byte passes", () => {
  const bytes = encodeManifest(full);
  fc.assert(
    fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ change;
      expect(scan(damaged)).toBeNull();
    }),
  );
  for (const length of [0, 1, 50, 80, 1000, bytes.length - 1])
    expect(scan(bytes.subarray(0, length))).toBeNull();
});

test("has doubts where a document is sealed and yet not as it should be", () => {
  const sealed = (change: Record<string, unknown>) =>
    scan(encodeDocument({ ...(JSON.parse(JSON.stringify(full)) as object), ...change }));
  expect(sealed({})).toEqual(outlineOf(full));
  expect(sealed({ format: 2 })).toBeNull();
  expect(sealed({ kind: "incremental" })).toBeNull();
  expect(sealed({ id: "20261121" })).toBeNull();
  expect(sealed({ measures: { ...full.measures, messages: -1 } })).toBeNull();
  expect(sealed({ set: "s".repeat(100_000) })).toBeNull();
  expect(sealed({ queues: [{ ...full.queues[0], outcome: "well" }] })).toBeNull();
  expect(sealed({ queues: [{ ordinal: 1, name: "q", vhost: "/", outcome: "complete" }] })).toBeNull();
  expect(sealed({ queues: [{ ordinal: 1, vhost: "/", name: "q" }] })).toBeNull();
});
