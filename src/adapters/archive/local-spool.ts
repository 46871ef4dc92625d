import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { lstat, mkdir, mkdtemp, open, rm, rmdir, statfs, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { BackupError } from "../../domain/errors.ts";
import type { SpoolDisk } from "../../domain/spool-limit.ts";
import type { Spool, SpooledFile, SpoolFile } from "../../ports/spool.ts";
import { errnoOf, fileError } from "../store/file-errors.ts";
import { writeAll } from "../store/file-sync.ts";
import { ownPrefix, sweepDead } from "../store/ownership.ts";

/** Of a finished file at once: what it goes through counts pieces rather than bytes. */
const READ_BYTES = 512 * 1024;

export interface LocalSpoolOptions {
  /** `directory` is somebody else's: it stays when the last spool in it is gone. */
  readonly keepDirectory?: boolean;
  /** Where others may write too, as below /tmp: `directory` is used only when it is this user's alone. TARGET_REFUSED otherwise. */
  readonly mustBePrivate?: boolean;
}

/**
 * A private folder below `directory`, made when the first file is. `directory` itself is made when only its last part is missing
 * (TARGET_MISSING otherwise) and, unless told otherwise, removed again with the last spool in it.
 */
export function localSpool(directory: string, options: LocalSpoolOptions = {}): Spool {
  const { keepDirectory = false, mustBePrivate = false } = options;
  let folder: Promise<string> | null = null;
  const growing = new Set<GrowingFile>();
  return {
    create: async (name) => {
      const file = await growingFile(
        path.join(await (folder ??= makeFolder(directory, options)), name),
        name,
      );
      growing.add(file);
      return file;
    },
    disk: async () => diskOf(directory),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...growing].map(async (file) => file.close()));
      if (folder === null) return;
      const made = await folder.catch(() => null);
      if (made !== null) await rm(made, { recursive: true, force: true });
      // One that was refused is not ours to remove.
      if (made === null && mustBePrivate) return;
      if (!keepDirectory) await rmdir(directory).catch(() => undefined);
    },
  };
}

/** Removes the spools of processes of this machine that are gone; gives their paths. */
export async function sweepDeadSpools(
  directory: string,
  { mustBePrivate = false }: LocalSpoolOptions = {},
): Promise<readonly string[]> {
  try {
    if (mustBePrivate) await requirePrivate(directory);
    return await sweepDead(directory);
  } catch (error) {
    throw fileError(error, `remove what an earlier run left in ${directory}`);
  }
}

/** File systems in memory, as Linux numbers them: tmpfs, ramfs. */
const IN_MEMORY = [0x01021994, 0x858458f6];

async function diskOf(directory: string): Promise<SpoolDisk | null> {
  try {
    const { type, bsize, blocks, bavail } = await statfs(directory);
    return { totalBytes: bsize * blocks, freeBytes: bsize * bavail, inMemory: IN_MEMORY.includes(type) };
  } catch {
    // Not known: there is a rule for that.
    return null;
  }
}

async function makeFolder(directory: string, { mustBePrivate = false }: LocalSpoolOptions): Promise<string> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") {
      throw new BackupError("TARGET_MISSING", `${path.dirname(directory)} does not exist`, {
        hint: "Make the directory, or mount the file system it is on, and run again.",
        cause: error,
      });
    }
    if (errnoOf(error) !== "EEXIST") throw fileError(error, `make the directory ${directory}`);
  }
  try {
    if (mustBePrivate) await requirePrivate(directory);
    return await mkdtemp(path.join(directory, ownPrefix()));
  } catch (error) {
    throw fileError(error, `make a directory in ${directory}`);
  }
}

/** Absent is private. Whoever could write in it could put files of his own in place of ours. */
async function requirePrivate(directory: string): Promise<void> {
  let stats: Stats;
  try {
    stats = await lstat(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  const isOwn = process.getuid === undefined || stats.uid === process.getuid();
  if (stats.isDirectory() && isOwn && (stats.mode & 0o077) === 0) return;
  throw new BackupError("TARGET_REFUSED", `${directory} is not a directory of this user alone`, {
    hint: "Remove it, or name a directory for volumes with --spool-dir.",
  });
}

type GrowingFile = SpoolFile & { close(): Promise<void> };

async function growingFile(file: string, name: string): Promise<GrowingFile> {
  const doing = `write ${file}`;
  let handle: FileHandle;
  try {
    handle = await open(file, "wx", 0o600);
  } catch (error) {
    throw fileError(error, doing);
  }
  const hash = createHash("sha256");
  let bytes = 0;
  let last: Promise<unknown> = Promise.resolve();
  let closed: Promise<void> | null = null;

  /** After what came before, and not at all when that failed. */
  function next<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work).catch((error: unknown) => {
      throw fileError(error, doing);
    });
    last = turn;
    turn.catch(() => undefined);
    return turn;
  }

  function close(): Promise<void> {
    return (closed ??= last.then(
      async () => handle.close(),
      async () => handle.close(),
    ));
  }

  return {
    name,
    get bytes() {
      return bytes;
    },
    append: async (part) => {
      const range = { offset: bytes, length: part.length };
      bytes += part.length;
      hash.update(part);
      await next(async () => writeAll(handle, part));
      return range;
    },
    finish: async (): Promise<SpooledFile> => {
      await next(async () => handle.sync());
      await close();
      return {
        name,
        bytes,
        sha256: hash.digest("hex"),
        body: { bytes, file, open: () => createReadStream(file, { highWaterMark: READ_BYTES }) },
        release: async () => {
          await rm(file, { force: true });
        },
      };
    },
    close,
  };
}
