import type { Dirent, Stats } from "node:fs";
import { lstat, mkdir, readdir, rmdir, stat } from "node:fs/promises";
import path from "node:path";
import { BackupError } from "../../domain/errors.ts";
import type { ObjectInfo } from "../../ports/store.ts";
import { errnoOf, isAbsence } from "./file-errors.ts";
import { syncDirectory } from "./file-sync.ts";
import { walkTree } from "./tree-walk.ts";

/**
 * The parts of a key as parts of a path. Throws INTERNAL for a key that could lead anywhere else, or that `list` would not show:
 * our own keys never do.
 */
export function keyParts(key: string): readonly string[] {
  const parts = key.split("/");
  const sound = parts.every((part) => part !== "" && !part.startsWith(".") && !/[\0\\]/.test(part));
  if (sound) return parts;
  throw new BackupError("INTERNAL", `${JSON.stringify(key)} is not a key`);
}

/**
 * False: it does not exist, and `mayBeMissing`. Throws TARGET_MISSING otherwise: an unmounted file system must not pass for an
 * empty one.
 */
export async function baseExists(base: string, mayBeMissing: boolean): Promise<boolean> {
  const stats = await statOrNull(() => stat(base));
  if (stats?.isDirectory() === true) return true;
  if (stats === null && mayBeMissing) return false;
  const why = stats === null ? "does not exist" : "is not a directory";
  throw new BackupError("TARGET_MISSING", `target ${base} ${why}`, {
    hint: "Make the directory, or mount the file system it is on, and run again.",
  });
}

/** Makes `base` and what leads to it where missing. */
export async function makeBase(base: string): Promise<void> {
  const first = await mkdir(base, { recursive: true, mode: 0o700 });
  if (first !== undefined) await syncDirectory(path.dirname(first));
}

/** The directory, made where missing, durably. No part of it may be a symbolic link. */
export async function makeDirectory(base: string, parts: readonly string[]): Promise<string> {
  let directory = base;
  for (const part of parts) {
    const parent = directory;
    directory = path.join(parent, part);
    try {
      await mkdir(directory, { mode: 0o700 });
      await syncDirectory(parent);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      await requireNoLink(directory);
    }
  }
  return directory;
}

/**
 * Throws TARGET_REFUSED when a part of the way is a symbolic link: it may lead out of the target. What is missing is no link.
 * `sound` remembers directories that were found to be none.
 */
export async function requireNoLinks(
  base: string,
  parts: readonly string[],
  sound: Set<string> = new Set(),
): Promise<void> {
  let directory = base;
  for (const part of parts) {
    directory = path.join(directory, part);
    if (!sound.has(directory) && (await requireNoLink(directory))) sound.add(directory);
  }
}

/** False: there is nothing. */
async function requireNoLink(file: string): Promise<boolean> {
  const stats = await statOrNull(() => lstat(file));
  if (stats?.isSymbolicLink() !== true) return stats !== null;
  throw new BackupError("TARGET_REFUSED", `${file} is a symbolic link`, {
    hint: "Links inside a repository are not followed: replace the link by what it leads to.",
  });
}

/** Removes directories that are empty now, from the innermost outwards. Best effort: a put at the same time needs them. */
export async function pruneDirectories(base: string, parts: readonly string[]): Promise<void> {
  for (let depth = parts.length; depth > 0; depth -= 1) {
    try {
      await rmdir(path.join(base, ...parts.slice(0, depth)));
    } catch {
      return;
    }
  }
}

/**
 * Keys of regular files below `prefix`, ascending by code unit, some at a time. Links are not ours. `sound` as for `requireNoLinks`.
 */
export async function* walk(
  base: string,
  prefix: string,
  sound: Set<string> = new Set(),
): AsyncGenerator<readonly string[]> {
  yield* walkTree(prefix, async (folder) => {
    const directory = path.join(base, folder);
    if (folder !== "") sound.add(directory);
    return entriesOf(directory);
  });
}

/** The same with what is known of each. */
export async function* walkObjects(base: string, prefix: string): AsyncGenerator<readonly ObjectInfo[]> {
  for await (const keys of walk(base, prefix)) {
    const looked = keys.map(async (key) => {
      const stats = await statOrNull(() => lstat(path.join(base, key)));
      return stats && { key, bytes: stats.size, modifiedAt: stats.mtime };
    });
    yield (await Promise.all(looked)).filter((object) => object !== null);
  }
}

/** Empty for a directory that is gone, or is a file. */
async function entriesOf(directory: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
}

async function statOrNull(look: () => Promise<Stats>): Promise<Stats | null> {
  try {
    return await look();
  } catch (error) {
    if (isAbsence(error)) return null;
    throw error;
  }
}
