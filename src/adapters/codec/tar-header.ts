import { pack } from "tar-stream";
import { BackupError } from "../../domain/errors.ts";

const TAR_BLOCK_BYTES = 512;

/** What one ustar block can say: longer or other names would need further blocks. */
const PLAIN_NAME = /^[\x21-\x7e]{1,100}$/;
const LAST_SECOND = 2 ** 31 - 1;

/** The header block of a regular file that only its owner may read. `modifiedAt`: Unix time, seconds. */
export async function tarHeader(name: string, bytes: number, modifiedAt: number): Promise<Uint8Array> {
  if (!PLAIN_NAME.test(name))
    throw new BackupError("INTERNAL", `entry name ${name} does not fit a tar header`);
  const mtime = new Date(Math.min(modifiedAt, LAST_SECOND) * 1000);
  const tar = pack();
  tar.entry({ name, size: bytes, mode: 0o600, mtime, uid: 0, gid: 0, type: "file" });
  // The header comes out before any body is asked for; leaving the loop ends the rest.
  for await (const block of tar) {
    if (block instanceof Uint8Array && block.length === TAR_BLOCK_BYTES) return block;
    break;
  }
  throw new BackupError("INTERNAL", `no tar header could be made for ${name}`);
}

/** Bytes of an entry's body with its padding. */
export function paddedBytes(bytes: number): number {
  return Math.ceil(bytes / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
}
