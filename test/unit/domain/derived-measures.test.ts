import { expect, test } from "vitest";
import { derivedOf } from "../../../src/domain/derived-measures.ts";
import type { Measures } from "../../../src/domain/manifest.ts";

const MEASURES: Measures = {
  messages: 300,
  bodyBytes: 9000,
  plainBytes: 12_000,
  storedBytes: 4000,
  targetBytes: 80_000,
  knownMessages: 400,
  lostMessages: 100,
  lossRate: 0.25,
  readMs: 2500,
  shipMs: 500,
  totalMs: 3000,
  longestHoldMs: 2000,
};

test("what follows from measures", () => {
  expect(derivedOf(MEASURES)).toEqual({
    storageUse: 0.05,
    ratio: 3,
    latencyMs: 3000,
    messagesPerSecond: 100,
    bodyBytesPerSecond: 3000,
  });
});

test("what cannot be said is null, never zero or infinite", () => {
  expect(derivedOf({ ...MEASURES, targetBytes: null, storedBytes: 0, totalMs: 0 })).toMatchObject({
    storageUse: null,
    ratio: null,
    messagesPerSecond: null,
    bodyBytesPerSecond: null,
  });
  expect(derivedOf({ ...MEASURES, messages: 0, plainBytes: 0 })).toMatchObject({
    ratio: 0,
    messagesPerSecond: 0,
  });
});
