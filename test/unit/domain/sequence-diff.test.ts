import fc from "fast-check";
import { expect, test } from "vitest";
import { NEW, SequenceDiff } from "../../../src/domain/sequence-diff.ts";

/** Slow and obvious: what the diff promises, written down again. */
function reference(base: readonly number[], queue: readonly number[]): number[] {
  const used = new Set<number>();
  let expected = 0;
  return queue.map((message) => {
    const candidates = base
      .map((each, position) => ({ each, position }))
      .filter(({ each, position }) => each === message && !used.has(position))
      .toSorted(
        (a, b) =>
          Math.abs(a.position - expected) - Math.abs(b.position - expected) || b.position - a.position,
      );
    const [found] = candidates;
    if (!found) return NEW;
    used.add(found.position);
    expected = found.position + 1;
    return found.position;
  });
}

function positions(
  base: readonly number[],
  queue: readonly number[],
  pieces: readonly number[] = [],
): number[] {
  const diff = new SequenceDiff(fingerprints(base));
  const found: Int32Array[] = [];
  let at = 0;
  for (const piece of [...pieces, queue.length]) {
    found.push(diff.match(fingerprints(queue.slice(at, at + piece))));
    at += piece;
  }
  return found.flatMap((piece) => [...piece]);
}

/** Few prefixes, so that different messages meet in one bucket. */
function fingerprints(messages: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(messages.length * 16);
  for (const [at, message] of messages.entries()) {
    bytes.writeUInt32LE(Math.imul(message % 5, 0x9e3779b1) >>> 0, at * 16);
    bytes.writeUInt32LE(message, at * 16 + 12);
  }
  return bytes;
}

const message = fc.oneof(fc.nat(8), fc.nat(400));

/** What becomes of a queue: consumed at the head or in the middle, given back, published to, said twice. */
const change = fc.oneof(
  fc.record({ kind: fc.constant("consume" as const), at: fc.nat(1000), count: fc.nat(6) }),
  fc.record({ kind: fc.constant("requeue" as const), from: fc.nat(1000), to: fc.nat(1000) }),
  fc.record({ kind: fc.constant("publish" as const), messages: fc.array(message, { maxLength: 8 }) }),
  fc.record({ kind: fc.constant("empty" as const) }),
);

function changed(
  base: readonly number[],
  changes: readonly (typeof change extends fc.Arbitrary<infer C> ? C : never)[],
) {
  const queue = [...base];
  for (const each of changes) {
    if (each.kind === "consume") queue.splice(each.at % (queue.length + 1), each.count);
    else if (each.kind === "publish") queue.push(...each.messages);
    else if (each.kind === "empty") queue.length = 0;
    else queue.splice(each.to % (queue.length + 1), 0, ...queue.splice(each.from % (queue.length + 1), 1));
  }
  return queue;
}

test("after any consuming, requeueing, repeating and publishing it finds what the reference finds", () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 120 }),
      fc.array(change, { maxLength: 12 }),
      fc.array(fc.nat(20), { maxLength: 5 }),
      (base, changes, pieces) => {
        const queue = changed(base, changes);
        const found = positions(base, queue, pieces);
        expect(found).toEqual(reference(base, queue));
        // Put together again from base and new ones it is the queue, and no position was used twice.
        expect(found.map((position, at) => (position === NEW ? queue[at] : base[position]))).toEqual(queue);
        const used = found.filter((position) => position !== NEW);
        expect(new Set(used).size).toBe(used.length);
      },
    ),
    { numRuns: 600 },
  );
});

test("a consumed head and new messages at the end: one stretch, then new", () => {
  expect(positions([1, 2, 3, 4, 5], [3, 4, 5, 6])).toEqual([2, 3, 4, NEW]);
});

test("a requeued message comes from where it was, and the rest goes on behind it", () => {
  expect(positions([1, 2, 3, 4], [3, 1, 2, 4])).toEqual([2, 0, 1, 3]);
});

test("identical messages are as many as the base has", () => {
  expect(positions([7, 7, 7], [7, 7, 7, 7, 7])).toEqual([0, 1, 2, NEW, NEW]);
  expect(positions([1, 7, 7], [7, 1])).toEqual([1, 0]);
});

test("no base, no queue", () => {
  expect(positions([], [1, 2])).toEqual([NEW, NEW]);
  expect(positions([1, 2], [])).toEqual([]);
});

test("fingerprints may lie anywhere in memory", () => {
  const shifted = Buffer.concat([Buffer.from([0]), fingerprints([1, 2])]).subarray(1);
  expect([...new SequenceDiff(shifted).match(shifted)]).toEqual([0, 1]);
});

/** Quadratic in any of these would not end. */
test.each([
  ["one message, again and again", () => 1, () => 1],
  ["two that alternate, the other way round", (at: number) => at % 2, (at: number) => (at + 1) % 2],
  ["all of them backwards", (at: number) => at, (at: number) => 199_999 - at],
  ["two of one bucket", (at: number) => (at % 2) * 5, (at: number) => ((at + 1) % 3) * 5],
])("200,000 messages: %s", (_, base, queue) => {
  const numbers = Array.from({ length: 200_000 }, (__, at) => at);
  const found = positions(numbers.map(base), numbers.map(queue));
  expect(found).toHaveLength(200_000);
  expect(found.every((position, at) => position === NEW || base(position) === queue(at))).toBe(true);
});
