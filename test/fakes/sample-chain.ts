import type { Manifest } from "../../src/domain/manifest.ts";
import type { Catalog } from "../../src/repository/catalog.ts";
import { DEFINITIONS, message, messages, writeBackup, type SampleBackup } from "./sample-backup.ts";

export interface SampleChain {
  readonly full: Manifest;
  readonly middle: Manifest;
  readonly last: Manifest;
  readonly samples: {
    readonly full: SampleBackup;
    readonly middle: SampleBackup;
    readonly last: SampleBackup;
  };
}

function range(from: number, to: number): ReturnType<typeof messages> {
  return Array.from({ length: to - from }, (_, at) => message(from + at));
}

/**
 * A full and two incrementals: the head of queue q consumed, its tail new, and in the last a message come back behind the others; the
 * stream grows; a queue comes, another is emptied and filled again.
 */
export async function writeChain(catalog: Catalog): Promise<SampleChain> {
  const stream = messages(9).map((record, at) => ({ ...record, streamOffset: 40 + at }));
  const sizes = { segmentBytes: 300, volumeBytes: 900, entryBytes: 48, definitions: [DEFINITIONS] };
  const fullSample: SampleBackup = {
    ...sizes,
    now: new Date("2026-11-21T19:32:00Z"),
    queues: [
      { name: "q", records: range(0, 8) },
      { name: "refilled", records: range(100, 104) },
      { name: "events", type: "stream", records: stream.slice(0, 4) },
    ],
  };
  const full = await writeBackup(catalog, fullSample);
  const middleSample: SampleBackup = {
    ...sizes,
    now: new Date("2026-11-21T19:42:00Z"),
    base: { manifest: full, sample: fullSample },
    queues: [
      { name: "q", records: range(3, 11) },
      { name: "refilled", records: [] },
      { name: "events", type: "stream", records: stream.slice(0, 6) },
    ],
  };
  const middle = await writeBackup(catalog, middleSample);
  const lastSample: SampleBackup = {
    ...sizes,
    now: new Date("2026-11-21T19:52:00Z"),
    base: { manifest: middle, sample: middleSample },
    queues: [
      { name: "q", records: [...range(4, 6), ...range(7, 13), message(6)] },
      { name: "refilled", records: range(110, 113) },
      { name: "events", type: "stream", records: stream.slice(2) },
      { name: "new", records: range(200, 202) },
    ],
  };
  const last = await writeBackup(catalog, lastSample);
  return { full, middle, last, samples: { full: fullSample, middle: middleSample, last: lastSample } };
}
