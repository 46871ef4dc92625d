import { createHash } from "node:crypto";
import { link, lstat, mkdir, open, rename, rmdir, unlink } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BackupError } from "../../domain/errors.ts";
import type { ObjectBody } from "../../ports/store.ts";
import { errnoOf, isAbsence } from "./file-errors.ts";
import { syncFile, writeAll } from "./file-sync.ts";

/** link(2) refused by the file system, not for what is asked. */
const NO_LINKS = ["EPERM", "EXDEV", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"];

const LOCK_RETRY_MS = 10;
const STALE_LOCK_MS = 30_000;

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

/** Gives `from` the name `to`, where nothing is. Rejects EEXIST. */
export async function linkNew(from: string, to: string): Promise<void> {
  if (await linked(from, to)) return;
  // Without hard links looking and naming are two steps, and others must wait between them.
  const name = createHash("sha256").update(to).digest("hex").slice(0, 16);
  await exclusively(path.join(path.dirname(from), `lock-${name}`), async () => {
    if (await isThere(to)) throw Object.assign(new Error(`${to} exists`), { code: "EEXIST" });
    await rename(from, to);
  });
}

/** Making a directory succeeds once. One that is older than any naming takes was left by a killed process. */
async function exclusively(lock: string, work: () => Promise<void>): Promise<void> {
  for (const since = Date.now(); ; await delay(LOCK_RETRY_MS)) {
    try {
      await mkdir(lock);
      break;
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      if (Date.now() - since > 2 * STALE_LOCK_MS) throw held(lock, error);
      if (await isStale(lock)) await rmdir(lock).catch(() => undefined);
    }
  }
  try {
    await work();
  } finally {
    await rmdir(lock);
  }
}

async function isStale(lock: string): Promise<boolean> {
  try {
    return Date.now() - (await lstat(lock)).mtimeMs > STALE_LOCK_MS;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
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

function held(lock: string, cause: unknown): BackupError {
  return new BackupError("TARGET_FAILED", `${lock} is held by another process`, {
    hint: "Remove it when no other mqbackup writes to this target.",
    cause,
  });
}
