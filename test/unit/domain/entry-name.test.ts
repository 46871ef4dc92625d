import fc from "fast-check";
import { expect, test } from "vitest";
import {
  definitionsEntryName,
  fingerprintsEntryName,
  queueFolder,
  recordsEntryName,
} from "../../../src/domain/entry-name.ts";

const anyName = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 255 }),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 255 }),
  fc
    .array(fc.constantFrom("..", "/", "\\", "\0", "\n", "%", ".", "a", "é", "😀", "\ud800"), {
      maxLength: 120,
    })
    .map((parts) => parts.join("")),
);

function expectSafe(path: string): void {
  expect(Buffer.byteLength(path)).toBeLessThanOrEqual(100);
  expect(path).toMatch(/^[A-Za-z0-9._%/-]+$/);
  expect(path.startsWith("/")).toBe(false);
  for (const part of path.split("/")) {
    expect(part).not.toBe("");
    expect(part.startsWith(".")).toBe(false);
    expect(part.endsWith(".")).toBe(false);
    // Never cut inside an escape, and always decodable as text.
    expect(() => decodeURIComponent(part)).not.toThrow();
  }
}

test("whatever a queue is called, its paths are safe, short and apart", () => {
  fc.assert(
    fc.property(
      anyName,
      fc.integer({ min: 1, max: 9_999_999 }),
      fc.integer({ min: 1, max: 9_999_999 }),
      (name, ordinal, number) => {
        const folder = queueFolder(ordinal, name);
        expect(folder.split("/")).toHaveLength(2);
        for (const path of [recordsEntryName(folder, number), fingerprintsEntryName(folder, number)]) {
          expectSafe(path);
          expect(path.split("/")).toHaveLength(3);
        }
        expectSafe(definitionsEntryName(ordinal, name));
        expect(queueFolder(ordinal + 1, name)).not.toBe(folder);
        expect(recordsEntryName(folder, number + 1)).not.toBe(recordsEntryName(folder, number));
      },
    ),
    { numRuns: 500 },
  );
});

test("names as people see them", () => {
  const examples: Record<string, string> = {
    orders: "queues/00001-orders",
    "orders.eu-1_x": "queues/00001-orders.eu-1_x",
    "../../etc/x": "queues/00001-..%2F..%2Fetc%2Fx",
    "..": "queues/00001-.%2E",
    "a/b": "queues/00001-a%2Fb",
    "a b\n": "queues/00001-a%20b%0A",
    "100%": "queues/00001-100%25",
    größe: "queues/00001-gr%C3%B6%C3%9Fe",
    "\ud800": "queues/00001-%EF%BF%BD",
  };
  for (const [name, folder] of Object.entries(examples)) expect(queueFolder(1, name)).toBe(folder);
  expect(recordsEntryName(queueFolder(12, "orders"), 3)).toBe("queues/00012-orders/000003.records");
  expect(fingerprintsEntryName(queueFolder(123_456, "orders"), 3)).toBe(
    "queues/123456-orders/000003.fingerprints",
  );
  expect(definitionsEntryName(1, "/")).toBe("definitions/00001-%2F.json");
});

test("a long name is cut between characters", () => {
  expect(queueFolder(1, "x".repeat(255))).toBe(`queues/00001-${"x".repeat(63)}`);
  expect(queueFolder(1, "😀".repeat(63))).toBe(`queues/00001-${"%F0%9F%98%80".repeat(5)}`);
});
