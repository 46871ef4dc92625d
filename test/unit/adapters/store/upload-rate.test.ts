import { expect, test } from "vitest";
import { UploadRate } from "../../../../src/adapters/store/upload-rate.ts";
import { withUploadRate } from "../../../../src/adapters/store/with-upload-rate.ts";
import { sleep } from "../../../../src/cli/wiring/run.ts";
import { BackupError } from "../../../../src/domain/errors.ts";
import { jumpingClock, type JumpingClock } from "../../../fakes/jumping-clock.ts";
import { memoryStore } from "../../../fakes/memory-store.ts";

/** Bytes a second. */
const RATE = 1_000_000;

interface Piece {
  readonly bytes: number;
  readonly at: number;
}

/** `parts` bytes each, through the rate; each piece with the moment it came. */
async function sent(rate: UploadRate, clock: JumpingClock, ...parts: readonly number[]): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for await (const piece of rate.paced(parts.map((bytes) => new Uint8Array(bytes)))) {
    pieces.push({ bytes: piece.length, at: clock.now() });
  }
  return pieces;
}

const sum = (pieces: readonly Piece[]): number => pieces.reduce((bytes, piece) => bytes + piece.bytes, 0);

test("everything comes, in order, at the rate, in small pieces", async () => {
  const clock = jumpingClock();
  const rate = new UploadRate(RATE, clock);
  const parts = [Buffer.from("first, "), Buffer.alloc(200_000, "x"), Buffer.from("last")];
  const pieces: Uint8Array[] = [];
  for await (const piece of rate.paced(parts)) pieces.push(piece);
  expect(Buffer.concat(pieces).equals(Buffer.concat(parts))).toBe(true);
  expect(Math.max(...pieces.map(({ length }) => length))).toBe(50_000);
  expect(clock.now()).toBeCloseTo(100, 1);
});

test("in no stretch of time comes more than the rate gives, but for a tenth of a second of it", async () => {
  const clock = jumpingClock();
  const pieces = await sent(new UploadRate(RATE, clock), clock, 3_000_000);
  for (const [i, { at }] of pieces.entries()) {
    for (const { at: later } of pieces.slice(i)) {
      const within = sum(pieces.filter((piece) => piece.at >= at && piece.at <= later));
      expect(within).toBeLessThanOrEqual(((later - at) * RATE) / 1000 + 150_000);
    }
  }
});

test("timers that are late cost nothing", async () => {
  const clock = jumpingClock(20);
  await sent(new UploadRate(RATE, clock), clock, 10_000_000);
  expect(clock.now()).toBeGreaterThan(9_800);
  expect(clock.now()).toBeLessThan(10_100);
});

test("a time in which nothing was sent is not made up for", async () => {
  const clock = jumpingClock();
  const rate = new UploadRate(RATE, clock);
  clock.pass(60_000);
  const before = clock.now();
  await sent(rate, clock, 2_000_000);
  expect(clock.now() - before).toBeCloseTo(1900, 0);
});

test("those who send at once share it, and take turns", async () => {
  const clock = jumpingClock();
  const rate = new UploadRate(RATE, clock);
  const [one, other] = await Promise.all([sent(rate, clock, 1_000_000), sent(rate, clock, 1_000_000)]);
  expect(clock.now()).toBeCloseTo(1900, 0);
  const half = (pieces: readonly Piece[] | undefined) => sum((pieces ?? []).filter(({ at }) => at < 950));
  expect(half(one)).toBeGreaterThan(400_000);
  expect(half(other)).toBeGreaterThan(400_000);
});

test.each([
  [1024, 51],
  [1e12, 65_536],
])("at %d bytes a second a piece has %d", async (bytesPerSecond, largest) => {
  const clock = jumpingClock();
  const pieces = await sent(new UploadRate(bytesPerSecond, clock), clock, 100_000);
  expect(pieces[0]?.bytes).toBe(largest);
  expect(clock.now()).toBeCloseTo(Math.max(0, (100_000 / bytesPerSecond) * 1000 - 100), 0);
});

test("a put of a store at a rate counts each reading of its body, and keeps what can be linked", async () => {
  const clock = jumpingClock();
  let readings = 0;
  const twice = {
    ...memoryStore(),
    put: async (_key: string, body: { readonly file?: string; open(): AsyncIterable<Uint8Array> }) => {
      expect(body.file).toBe("/spool/volume");
      for (let n = 0; n < 2; n += 1) for await (const part of body.open()) readings += part.length;
    },
  };
  const store = withUploadRate(twice, new UploadRate(RATE, clock));
  const open = async function* parts() {
    yield new Uint8Array(1_000_000);
  };
  await store.put("a", { bytes: 1_000_000, open, file: "/spool/volume" });
  expect(readings).toBe(2_000_000);
  expect(clock.now()).toBeCloseTo(1900, 0);
});

test("an abort ends a long wait with its reason", async () => {
  const controller = new AbortController();
  const reason = new BackupError("INTERRUPTED", "interrupted by a test");
  const store = withUploadRate(memoryStore(), new UploadRate(1, { now: () => performance.now(), sleep }));
  const open = async function* parts() {
    yield new Uint8Array(1000);
  };
  const put = store.put("a", { bytes: 1000, open }, { signal: controller.signal });
  controller.abort(reason);
  await expect(put).rejects.toBe(reason);
});
