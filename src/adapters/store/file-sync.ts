import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { errnoOf } from "./file-errors.ts";

/** The bytes of this file, written by whoever, survive a power loss. */
export async function syncFile(file: string): Promise<void> {
  await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  await handle.sync();
}

/** The names in this directory survive a power loss. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems keep names durable by themselves and refuse the call.
    if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP"].includes(errnoOf(error) ?? "")) throw error;
  }
}

/** All of the bytes: one write may take fewer. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    written += (await handle.write(bytes, written, bytes.length - written)).bytesWritten;
  }
}
