import { createHash } from "node:crypto";
import type { Spool } from "../../src/ports/spool.ts";
import { bytesBody } from "../../src/repository/objects.ts";

/** Files in memory. What is appended is taken only after a while, as a disk does. */
export function memorySpool(): Spool {
  return {
    create: async (name) => {
      const parts: Uint8Array[] = [];
      let bytes = 0;
      let last: Promise<void> = Promise.resolve();
      return {
        name,
        get bytes() {
          return bytes;
        },
        append: async (part) => {
          const range = { offset: bytes, length: part.length };
          bytes += part.length;
          last = takeLater(last, () => parts.push(Uint8Array.from(part)));
          await last;
          return range;
        },
        finish: async () => {
          await last;
          const whole = Buffer.concat(parts);
          const sha256 = createHash("sha256").update(whole).digest("hex");
          return { name, bytes, sha256, body: bytesBody(whole), release: async () => undefined };
        },
      };
    },
    disk: async () => null,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function takeLater(before: Promise<void>, take: () => void): Promise<void> {
  await before;
  await new Promise(setImmediate);
  take();
}
