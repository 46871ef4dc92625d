import { buffer } from "node:stream/consumers";
import type { BackupKey, EncryptedFile, ReadStored } from "../../src/ports/encryption.ts";
import type { SpooledFile } from "../../src/ports/spool.ts";
import { memorySpool } from "./memory-spool.ts";

/** Bytes that differ from place to place. */
export function patterned(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = (at * 7 + (at >> 8) * 31 + (at >> 16)) & 0xff;
  return bytes;
}

export async function encryptedWith(
  key: BackupKey,
  plain: Uint8Array,
  name = "index.tar.zst",
): Promise<SpooledFile & { readonly stored: Buffer }> {
  await using spool = key.encrypting(memorySpool());
  const file = await spool.create(name);
  await file.append(plain);
  const finished = await file.finish();
  return { ...finished, stored: await buffer(finished.body.open()) };
}

/** Gives what it holds in pieces of a size, and notes which ranges were asked for. */
export function storedFile(
  stored: Uint8Array,
  pieceBytes = 50_000,
  name = "backups/x/data-00001.tar.zst.age",
) {
  const reads: Parameters<ReadStored>[0][] = [];
  const file: EncryptedFile = {
    name,
    bytes: stored.length,
    async *read(range) {
      reads.push(range);
      const wanted = range === null ? stored : stored.subarray(range.offset, range.offset + range.length);
      for (let at = 0; at < wanted.length; at += pieceBytes) yield wanted.subarray(at, at + pieceBytes);
    },
  };
  return { file, reads };
}

export async function decrypted(
  key: BackupKey,
  file: EncryptedFile,
  range?: { readonly offset: number; readonly length: number },
): Promise<Buffer> {
  return buffer(key.decrypt(file, range && { range }));
}
