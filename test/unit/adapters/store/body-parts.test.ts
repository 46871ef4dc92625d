import fc from "fast-check";
import { expect, test } from "vitest";
import { bodyParts } from "../../../../src/adapters/store/body-parts.ts";
import type { ObjectBody } from "../../../../src/ports/store.ts";

const NEVER = new AbortController().signal;

function bodyOf(pieces: readonly Uint8Array[], bytes: number): ObjectBody {
  return {
    bytes,
    async *open() {
      yield* pieces;
    },
  };
}

async function partsOf(body: ObjectBody, partBytes: number): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  for await (const part of bodyParts(body, partBytes, NEVER)) parts.push(part);
  return parts;
}

const pieces = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 12 });

test("however a body comes, its parts are whole but the last, and make the body", async () => {
  await fc.assert(
    fc.asyncProperty(pieces, fc.integer({ min: 1, max: 15 }), async (given, partBytes) => {
      const whole = Buffer.concat(given);
      const parts = await partsOf(bodyOf(given, whole.length), partBytes);
      expect(Buffer.concat(parts).equals(whole)).toBe(true);
      expect(parts.slice(0, -1).every((part) => part.length === partBytes)).toBe(true);
      expect(parts.every((part) => part.length > 0 && part.length <= partBytes)).toBe(true);
    }),
  );
});

test("a body of another length than it says gives no last part", async () => {
  await fc.assert(
    fc.asyncProperty(
      pieces,
      fc.integer({ min: 1, max: 15 }),
      fc.integer({ min: -5, max: 5 }).filter((by) => by !== 0),
      async (given, partBytes, by) => {
        const whole = Buffer.concat(given);
        fc.pre(whole.length + by >= 0);
        const parts = bodyParts(bodyOf(given, whole.length + by), partBytes, NEVER);
        let bytes = 0;
        const reading = async (): Promise<void> => {
          for await (const part of parts) bytes += part.length;
        };
        await expect(reading()).rejects.toMatchObject({ code: "TARGET_FAILED" });
        expect(bytes).toBeLessThan(Math.max(1, whole.length + by));
      },
    ),
  );
});

test("ends with the signal's reason", async () => {
  const reason = new Error("enough");
  const parts = bodyParts(bodyOf([Buffer.from("x")], 1), 5, AbortSignal.abort(reason));
  await expect(parts.next()).rejects.toBe(reason);
});
