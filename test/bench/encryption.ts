import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { AgeBackupKey } from "../../src/adapters/encryption/backup-key.ts";
import type { EncryptedFile } from "../../src/ports/encryption.ts";
import type { Spool } from "../../src/ports/spool.ts";
import { bytesBody } from "../../src/repository/objects.ts";
import { median } from "./measure.ts";

const USAGE = `usage: npm run bench:encryption -- [--volumes <n>] [--repeats <n>]

Encrypts volumes of 256 MiB (default 4, a GiB) as a backup does, into a spool that takes the checksum and throws the bytes away, and decrypts
them; beside SHA-256 and the bare cipher over the same bytes. One thread, in memory. Other work on the machine shows less in what a second of CPU does. Encrypting takes two checksums, of what is appended
and of what is stored.
`;

const VOLUME_BYTES = 256 * 1024 * 1024;
const APPEND_BYTES = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const CIPHER = "chacha20-poly1305";

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      volumes: { type: "string", default: "4" },
      repeats: { type: "string", default: "5" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const [volumes, repeats] = [Number(values.volumes), Number(values.repeats)];
  const plain = randomBytes(VOLUME_BYTES);
  const key = await AgeBackupKey.make();
  const stored = await storedVolume(key, plain);
  const cases: Readonly<Record<string, () => unknown>> = {
    "SHA-256": () => void createHash("sha256").update(plain).digest(),
    "bare cipher, encrypting": () => bareEncrypt(plain),
    "bare cipher, decrypting": () => bareDecrypt(plain),
    "encrypting, with both checksums": async () => encrypt(key, plain, async () => undefined),
    decrypting: async () => decrypt(key, stored),
  };
  for (const [name, run] of Object.entries(cases)) {
    const rates: number[] = [];
    const ratesOfCpu: number[] = [];
    for (let turn = 0; turn <= repeats; turn += 1) {
      const [began, cpu] = [performance.now(), process.cpuUsage()];
      for (let volume = 0; volume < volumes; volume += 1) await run();
      if (turn === 0) continue; // warms up
      const { user, system } = process.cpuUsage(cpu);
      rates.push((volumes * VOLUME_BYTES) / 1000 / (performance.now() - began));
      ratesOfCpu.push((volumes * VOLUME_BYTES) / (user + system));
    }
    const [least, most] = [Math.min(...rates).toFixed(0), Math.max(...rates).toFixed(0)];
    process.stdout.write(
      `${name.padEnd(32)} ${median(rates).toFixed(0)} MB/s (${least} to ${most}); ${median(ratesOfCpu).toFixed(0)} MB for a second of CPU\n`,
    );
  }
}

/** Hands over what would be written. */
function passingSpool(take: (bytes: Uint8Array) => Promise<void>): Spool {
  return {
    create: async (name) => {
      const hash = createHash("sha256");
      let bytes = 0;
      return {
        name,
        get bytes() {
          return bytes;
        },
        append: async (part) => {
          const range = { offset: bytes, length: part.length };
          bytes += part.length;
          hash.update(part);
          await take(part);
          return range;
        },
        finish: async () => ({
          name,
          bytes,
          sha256: hash.digest("hex"),
          body: bytesBody(new Uint8Array(0)),
          release: async () => undefined,
        }),
      };
    },
    disk: async () => null,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function encrypt(
  key: AgeBackupKey,
  plain: Uint8Array,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  await using spool = key.encrypting(passingSpool(take));
  const file = await spool.create("data-00001.tar.zst");
  for (let at = 0; at < plain.length; at += APPEND_BYTES) {
    await file.append(plain.subarray(at, at + APPEND_BYTES));
  }
  await file.finish();
}

async function storedVolume(key: AgeBackupKey, plain: Uint8Array): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  await encrypt(key, plain, async (bytes) => void parts.push(Uint8Array.from(bytes)));
  return Buffer.concat(parts);
}

async function decrypt(key: AgeBackupKey, stored: Uint8Array): Promise<void> {
  const file: EncryptedFile = {
    name: "data-00001.tar.zst.age",
    bytes: stored.length,
    async *read() {
      for (let at = 0; at < stored.length; at += CHUNK_BYTES) yield stored.subarray(at, at + CHUNK_BYTES);
    },
  };
  let bytes = 0;
  for await (const part of key.decrypt(file)) bytes += part.length;
  if (bytes !== VOLUME_BYTES) throw new Error(`${bytes} bytes came back`);
}

function bareEncrypt(plain: Uint8Array): void {
  const [key, nonce] = [Buffer.alloc(32, 1), Buffer.alloc(12)];
  for (let at = 0; at < plain.length; at += CHUNK_BYTES) {
    nonce.writeUInt32BE(at / CHUNK_BYTES, 7);
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: 16 });
    cipher.update(plain.subarray(at, at + CHUNK_BYTES));
    cipher.final();
    cipher.getAuthTag();
  }
}

/** One chunk again and again: what is in it does not matter for the time. */
function bareDecrypt(plain: Uint8Array): void {
  const [key, nonce] = [Buffer.alloc(32, 1), Buffer.alloc(12)];
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: 16 });
  const sealed = cipher.update(plain.subarray(0, CHUNK_BYTES));
  cipher.final();
  const tag = cipher.getAuthTag();
  for (let at = 0; at < plain.length; at += CHUNK_BYTES) {
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: 16 });
    decipher.update(sealed);
    decipher.setAuthTag(tag);
    decipher.final();
  }
}

await main();
