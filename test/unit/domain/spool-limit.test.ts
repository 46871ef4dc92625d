import { expect, test } from "vitest";
import { mayBegin, type SpoolDisk } from "../../../src/domain/spool-limit.ts";

const GiB = 2 ** 30;
const disk = (freeGiB: number, more: Partial<SpoolDisk> = {}): SpoolDisk => ({
  totalBytes: 40 * GiB,
  freeBytes: freeGiB * GiB,
  inMemory: false,
  ...more,
});

test.each([
  ["nothing waits: on any disk", 0, null, disk(0), true],
  ["nothing waits: whatever the limit", 0, 1, disk(9), true],
  ["much waits on a large disk", 20, null, disk(9), true],
  ["a twentieth stays free", 20, null, disk(3), true],
  ["and is not touched", 20, null, disk(2.9), false],
  ["of a huge disk 4 GiB stay free", 20, null, disk(5, { totalBytes: 4000 * GiB }), true],
  ["and are not touched", 20, null, disk(4.9, { totalBytes: 4000 * GiB }), false],
  ["in memory three volumes", 2, null, disk(30, { inMemory: true }), true],
  ["and not four", 3, null, disk(30, { inMemory: true }), false],
  ["an unknown disk: the same", 2, null, null, true],
  ["and the same", 3, null, null, false],
  ["a limit is reached", 9, 10 * GiB, disk(30), true],
  ["and not passed", 10, 10 * GiB, disk(30), false],
  ["a limit in memory is taken at its word", 9, 10 * GiB, disk(30, { inMemory: true }), true],
  ["a limit larger than the disk", 9, 100 * GiB, disk(2), false],
])("%s", (_, waitingGiB, maxBytes, on, may) => {
  expect(mayBegin({ waitingBytes: waitingGiB * GiB, volumeBytes: GiB, maxBytes }, on)).toBe(may);
});
