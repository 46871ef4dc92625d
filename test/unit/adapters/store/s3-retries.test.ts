import { expect, test } from "vitest";
import { S3Retries } from "../../../../src/adapters/store/s3-retries.ts";

interface Case {
  readonly error: Error;
  readonly errorType: string;
  readonly retryAfterHint?: Date;
}

function failure(name: string, status?: number): Error {
  return Object.assign(
    new Error(name),
    { name },
    status === undefined ? {} : { $metadata: { httpStatusCode: status } },
  );
}

const SLOW: Case = { error: failure("SlowDown", 503), errorType: "THROTTLING" };
const LOST: Case = { error: failure("ECONNRESET"), errorType: "TRANSIENT" };
const SILENT: Case = { error: failure("TimeoutError"), errorType: "TRANSIENT" };
const DENIED: Case = { error: failure("AccessDenied", 403), errorType: "CLIENT_ERROR" };
const CUT_OFF: Case = { error: failure("SyntaxError", 200), errorType: "CLIENT_ERROR" };

/** The waits before each further try of one request that always fails so. */
async function waitsOf(retries: S3Retries, failed: Case): Promise<number[]> {
  const waits: number[] = [];
  let token = await retries.acquireInitialRetryToken();
  for (;;) {
    const next = await retries.refreshRetryTokenForRetry(token, failed).catch(() => null);
    if (next === null) return waits;
    token = next;
    waits.push(token.getRetryDelay());
    expect(token.getRetryCount()).toBe(waits.length);
  }
}

/** That has answered before. */
function known(waitMs = 100): S3Retries {
  const retries = new S3Retries(waitMs);
  retries.recordSuccess();
  return retries;
}

test.each([
  ["an overloaded store", SLOW, 7],
  ["lost connections", LOST, 7],
  ["answers that are cut off", CUT_OFF, 7],
  ["silence", SILENT, 2],
  ["a refusal", DENIED, 0],
])("%s: %j is tried again so often", async (_what, failed, times) => {
  expect(await waitsOf(known(), failed)).toHaveLength(times);
});

test("waits double, vary by half, and end at ten seconds", async () => {
  const all = await Promise.all(Array.from({ length: 20 }, async () => waitsOf(known(1000), SLOW)));
  for (const waits of all) {
    for (const [i, ms] of waits.entries()) {
      const most = Math.min(1000 * 2 ** i, 10_000);
      expect(ms).toBeGreaterThanOrEqual(most / 2);
      expect(ms).toBeLessThanOrEqual(most);
    }
  }
  expect(new Set(all.map(([first]) => first)).size).toBeGreaterThan(10);
});

test("a time the store names is kept to, within bounds", async () => {
  const waits = async (seconds: number) =>
    waitsOf(known(1), { ...SLOW, retryAfterHint: new Date(Date.now() + seconds * 1000) });
  expect((await waits(5))[0]).toBeGreaterThan(4000);
  expect((await waits(3600))[0]).toBe(30_000);
  expect((await waits(-10))[0]).toBeLessThan(2);
});

test("a store nobody has heard of yet is not waited for, one that answers somehow is", async () => {
  expect(await waitsOf(new S3Retries(1), LOST)).toHaveLength(3);
  const retries = new S3Retries(1);
  await waitsOf(retries, DENIED);
  expect(await waitsOf(retries, LOST)).toHaveLength(7);
});

test("after one request that met silence to the end others are tried once, until there is an answer", async () => {
  const retries = known();
  expect(await waitsOf(retries, SILENT)).toHaveLength(2);
  expect(await waitsOf(retries, SILENT)).toHaveLength(0);
  expect(await waitsOf(retries, LOST)).toHaveLength(7);
  retries.recordSuccess();
  expect(await waitsOf(retries, SILENT)).toHaveLength(2);
});
