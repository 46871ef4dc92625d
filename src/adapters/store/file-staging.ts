import { link, lstat, open, rename, unlink } from "node:fs/promises";
import { BackupError } from "../../domain/errors.ts";
import type { ObjectBody } from "../../ports/store.ts";
import { errnoOf, isAbsence } from "./file-errors.ts";
import { syncFile, writeAll } from "./file-sync.ts";

/** link(2) refused by the file system, not for what is asked. */
const NO_LINKS = ["EPERM", "EXDEV", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"];

/** A synced file of these bytes under a name of its own. */
export async function stage(
  temporary: string,
  body: ObjectBody,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (body.file !== undefined && (await adopted(body.file, temporary))) {
    const { size } = await lstat(temporary);
    if (size !== body.bytes) throw wrongLength(body.bytes, size);
    await syncFile(temporary);
    return;
  }
  await using handle = await open(temporary, "wx", 0o600);
  let bytes = 0;
  for await (const part of body.open()) {
    signal?.throwIfAborted();
    await writeAll(handle, part);
    bytes += part.length;
  }
  signal?.throwIfAborted();
  if (bytes !== body.bytes) throw wrongLength(body.bytes, bytes);
  await handle.sync();
}

/** False: to be copied. A file that somebody else links too, as a second target may, would be one copy and not two. */
async function adopted(file: string, temporary: string): Promise<boolean> {
  if (!(await linked(file, temporary))) return false;
  if ((await lstat(temporary)).nlink <= 2) return true;
  await unlink(temporary);
  return false;
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (NO_LINKS.includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

/**
 * Rejects EEXIST. Where the file system has no hard links a moment is left in which two puts of one key at once would both
 * succeed; keys put this way carry an id claimed for one run, so that takes two runs begun in the same second.
 */
export async function linkNew(from: string, to: string): Promise<void> {
  if (await linked(from, to)) return;
  if (await isThere(to)) throw Object.assign(new Error(`${to} exists`), { code: "EEXIST" });
  await rename(from, to);
}

export async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

function wrongLength(expected: number, actual: number): BackupError {
  return new BackupError("TARGET_FAILED", `${expected} bytes were to be written, but there were ${actual}`);
}
