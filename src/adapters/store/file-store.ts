import { randomBytes } from "node:crypto";
import { rename, rm, statfs, unlink } from "node:fs/promises";
import path from "node:path";
import { BackupError } from "../../domain/errors.ts";
import type { Abortable } from "../../ports/abortable.ts";
import type { GetOptions, ObjectBody, PutOptions, Store } from "../../ports/store.ts";
import { errnoOf, fileError, isAbsence } from "./file-errors.ts";
import { openForReading, type ReadableFile } from "./file-reading.ts";
import { isThere, linkNew, stage } from "./file-staging.ts";
import { syncDirectory } from "./file-sync.ts";
import {
  baseExists,
  keyParts,
  makeBase,
  makeDirectory,
  pruneDirectories,
  requireNoLinks,
  walk,
  walkObjects,
} from "./file-tree.ts";
import { ownPrefix, sweepDead } from "./ownership.ts";

/** Where an object is written before it gets its name. `list` does not see it. */
const INCOMING = ".incoming";

const PUBLISH_TRIES = 20;

const READ_BYTES = 1024 * 1024;

export interface FileStoreOptions {
  /** A missing directory is an empty store, and made by the first put: TARGET_MISSING otherwise. */
  readonly create?: boolean;
}

/**
 * Objects as files below a directory. A put is durable when it resolves: the file, its name and the directories that lead to it
 * are synced. Directories are 0700, files 0600. A body that is a file of this file system is linked, not copied.
 */
export function fileStore(directory: string, options: FileStoreOptions = {}): Store {
  const base = path.resolve(directory);
  const { create = false } = options;
  /** Directories found to be no links, for reading: what is looked at anew each time is what is opened. */
  const sound = new Set<string>();
  let swept: Promise<unknown> | null = null;

  async function put(key: string, body: ObjectBody, { ifAbsent = false, signal }: PutOptions): Promise<void> {
    const parts = keyParts(key);
    const parents = parts.slice(0, -1);
    const target = path.join(base, ...parts);
    signal?.throwIfAborted();
    if (!(await baseExists(base, create))) await makeBase(base);
    // An existing object is refused before anything is copied; what counts is the link below.
    if (ifAbsent && (await isThere(target))) throw exists(key, base);
    const incoming = await makeDirectory(base, [INCOMING]);
    await (swept ??= sweepDead(incoming));
    const temporary = path.join(incoming, `${ownPrefix()}${randomBytes(8).toString("hex")}`);
    try {
      await stage(temporary, body, signal);
      await publish(temporary, target, parents, ifAbsent);
    } catch (error) {
      await pruneDirectories(base, parents);
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async function publish(
    temporary: string,
    target: string,
    parents: readonly string[],
    ifAbsent: boolean,
  ): Promise<void> {
    const parent = path.dirname(target);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await makeDirectory(base, parents);
        await (ifAbsent ? linkNew(temporary, target) : rename(temporary, target));
        break;
      } catch (error) {
        if (errnoOf(error) === "EEXIST") throw exists(path.relative(base, target), base, error);
        // A delete at the same time may have removed the directory as an empty one.
        if (errnoOf(error) !== "ENOENT" || attempt === PUBLISH_TRIES) throw error;
      }
    }
    try {
      await syncDirectory(parent);
    } catch (error) {
      await rm(target, { force: true });
      throw error;
    }
  }

  async function* get(key: string, { range, signal }: GetOptions): AsyncGenerator<Uint8Array> {
    const parts = keyParts(key);
    signal?.throwIfAborted();
    await requireNoLinks(base, parts.slice(0, -1), sound);
    using file = await openObject(path.join(base, ...parts), key);
    const { size } = file;
    const end = range === undefined ? size : range.offset + range.length;
    if (end > size) throw tooShort(key, end, size);
    let at = range?.offset ?? 0;
    while (at < end) {
      signal?.throwIfAborted();
      const part = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, end - at));
      const bytesRead = await file.read(part, at);
      if (bytesRead === 0) throw tooShort(key, end, at);
      at += bytesRead;
      yield part.subarray(0, bytesRead);
    }
  }

  async function openObject(file: string, key: string): Promise<ReadableFile> {
    try {
      const opened = await openForReading(file);
      if (opened.isFile) return opened;
      opened[Symbol.dispose]();
    } catch (error) {
      if (!isAbsence(error)) throw error;
    }
    await baseExists(base, create);
    throw new BackupError("OBJECT_MISSING", `there is no ${key} at ${base}`);
  }

  async function* listed<T>(
    batches: () => AsyncIterable<readonly T[]>,
    { signal }: Abortable,
  ): AsyncGenerator<T> {
    signal?.throwIfAborted();
    if (!(await baseExists(base, create))) return;
    for await (const batch of batches()) {
      for (const each of batch) {
        signal?.throwIfAborted();
        yield each;
      }
    }
  }

  async function remove(key: string, { signal }: Abortable): Promise<void> {
    const parts = keyParts(key);
    const parents = parts.slice(0, -1);
    signal?.throwIfAborted();
    if (!(await baseExists(base, create))) return;
    await requireNoLinks(base, parents);
    try {
      await unlink(path.join(base, ...parts));
      await syncDirectory(path.join(base, ...parents));
    } catch (error) {
      if (!isAbsence(error) && errnoOf(error) !== "EISDIR") throw error;
    }
    await pruneDirectories(base, parents);
  }

  async function capacity({ signal }: Abortable): Promise<{ totalBytes: number; freeBytes: number } | null> {
    signal?.throwIfAborted();
    if (!(await baseExists(base, create))) return null;
    const { bsize, blocks, bavail } = await statfs(base);
    return { totalBytes: bsize * blocks, freeBytes: bsize * bavail };
  }

  return {
    location: base,
    put: async (key, body, putOptions = {}) => mapped(put(key, body, putOptions), `write ${key} at ${base}`),
    get: (key, getOptions = {}) => mappedEach(get(key, getOptions), `read ${key} at ${base}`),
    list: (prefix, listOptions = {}) =>
      mappedEach(
        listed(() => walkObjects(base, prefix), listOptions),
        `list ${prefix} at ${base}`,
      ),
    keys: (prefix, keysOptions = {}) =>
      mappedEach(
        listed(() => walk(base, prefix, sound), keysOptions),
        `list ${prefix} at ${base}`,
      ),
    delete: async (key, deleteOptions = {}) => mapped(remove(key, deleteOptions), `delete ${key} at ${base}`),
    capacity: async (capacityOptions = {}) =>
      mapped(capacity(capacityOptions), `ask for the capacity of ${base}`),
  };
}

async function mapped<T>(call: Promise<T>, doing: string): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw fileError(error, doing);
  }
}

async function* mappedEach<T>(items: AsyncIterable<T>, doing: string): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw fileError(error, doing);
  }
}

function exists(key: string, base: string, cause?: unknown): BackupError {
  return new BackupError(
    "OBJECT_EXISTS",
    `${key} is already at ${base}`,
    cause === undefined ? {} : { cause },
  );
}

function tooShort(key: string, wanted: number, size: number): BackupError {
  return new BackupError("ARCHIVE_DAMAGED", `${key} ends at byte ${size}, byte ${wanted} was wanted`);
}
