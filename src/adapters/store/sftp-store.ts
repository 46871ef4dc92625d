import { join } from "node:path/posix";
import { BackupError } from "../../domain/errors.ts";
import type { SftpLocation } from "../../domain/sftp-location.ts";
import type { Abortable } from "../../ports/abortable.ts";
import type { GetOptions, ObjectBody, ObjectInfo, PutOptions, Store } from "../../ports/store.ts";
import { keyParts } from "./file-tree.ts";
import { SftpConnection, type SftpTimes } from "./sftp-connection.ts";
import { download } from "./sftp-download.ts";
import { hasStatus, sftpError, STATUS } from "./sftp-errors.ts";
import { entriesIn, pruneFolders, sweepDead, syncFolder } from "./sftp-folders.ts";
import { reasonOf, requireBase, spaceAt, statOrNull } from "./sftp-looks.ts";
import type { SftpSession } from "./sftp-session.ts";
import { tryOut } from "./sftp-trial.ts";
import { SftpUpload } from "./sftp-upload.ts";
import { walkTree } from "./tree-walk.ts";

const TIMES: SftpTimes = { connectMs: 20_000, silenceMs: 60_000, syncMs: 300_000, waitMs: 500 };

/**
 * Objects as files below a directory of a server, as the file store lays them: a put goes to a temporary name, is synced, and gets
 * its own name in one step. Directories are 0700, files 0600. One connection, opened when it is needed; what breaks with it is done
 * again on a new one. The first put tries out what puts rest on (TARGET_REFUSED).
 */
export function sftpStore(location: SftpLocation, times: Partial<SftpTimes> = {}): Store {
  const { path: base, text: where } = location;
  const connection = new SftpConnection(location, { ...TIMES, ...times });
  const { syncMs } = connection.times;
  let prepared: Promise<void> | null = null;

  async function put(key: string, body: ObjectBody, { ifAbsent = false, signal }: PutOptions): Promise<void> {
    const parts = keyParts(key);
    const upload = new SftpUpload({ base, parts, body, ifAbsent, signal, syncMs });
    const outcome = await connection.run(signal, async (session) =>
      requiringBase(
        session,
        upload.attempt(session, async (temporary) => prepare(session, temporary)),
      ),
    );
    if (outcome === "exists") throw new BackupError("OBJECT_EXISTS", `${key} is already at ${where}`);
  }

  async function prepare(session: SftpSession, temporary: string): Promise<void> {
    prepared ??= (async () => {
      await sweepDead(session, temporary);
      await tryOut(session, temporary, where);
    })();
    try {
      await prepared;
    } catch (error) {
      prepared = null;
      throw error;
    }
  }

  async function* get(key: string, options: GetOptions): AsyncGenerator<Uint8Array> {
    const file = join(base, ...keyParts(key));
    options.signal?.throwIfAborted();
    try {
      yield* download(connection, file, key, options);
    } catch (error) {
      if (!hasStatus(error, STATUS.NO_SUCH_FILE)) throw error;
      await connection.run(options.signal, async (session) => requireBase(session, base, where));
      throw new BackupError("OBJECT_MISSING", `there is no ${key} at ${where}`);
    }
  }

  async function* list(prefix: string, { signal }: Abortable): AsyncGenerator<ObjectInfo> {
    signal?.throwIfAborted();
    const found = new Map<string, ObjectInfo>();
    const batches = walkTree(prefix, async (folder) => {
      const entries = await entriesOf(folder, signal);
      return entries.map(({ filename: name, attrs }) => {
        const key = folder === "" ? name : `${folder}/${name}`;
        if (attrs.isFile()) {
          found.set(key, { key, bytes: attrs.size, modifiedAt: new Date(attrs.mtime * 1000) });
        }
        return { name, isFile: () => attrs.isFile(), isDirectory: () => attrs.isDirectory() };
      });
    });
    for await (const batch of batches) {
      for (const key of batch) {
        signal?.throwIfAborted();
        const object = found.get(key);
        found.delete(key);
        if (object !== undefined) yield object;
      }
    }
  }

  async function entriesOf(folder: string, signal: AbortSignal | undefined) {
    return connection.run(signal, async (session) => {
      try {
        return await entriesIn(session, join(base, folder), { signal, silenceMs: syncMs });
      } catch (error) {
        if (!hasStatus(error, STATUS.NO_SUCH_FILE)) throw error;
        if (folder === "") await requireBase(session, base, where, { signal });
        return [];
      }
    });
  }

  async function* keys(prefix: string, options: Abortable): AsyncGenerator<string> {
    for await (const { key } of list(prefix, options)) yield key;
  }

  async function remove(key: string, { signal }: Abortable): Promise<void> {
    const parts = keyParts(key);
    const [file, parents] = [join(base, ...parts), parts.slice(0, -1)];
    await connection.run(signal, async (session) => {
      try {
        await session.call((sftp, done) => sftp.unlink(file, done), { signal });
        await syncFolder(session, join(base, ...parents), syncMs);
      } catch (error) {
        if (hasStatus(error, STATUS.NO_SUCH_FILE)) await requireBase(session, base, where, { signal });
        else if (!hasStatus(error, STATUS.FAILURE)) throw error;
        else if ((await statOrNull(session, file, { signal }))?.isDirectory() !== true)
          throw await reasonOf(session, base, error);
      }
      await pruneFolders(session, base, parents);
    });
  }

  async function capacity({ signal }: Abortable): Promise<{ totalBytes: number; freeBytes: number } | null> {
    return connection.run(signal, async (session) => {
      await requireBase(session, base, where, { signal });
      const space = await spaceAt(session, base, { signal });
      return space && { totalBytes: space.totalBytes, freeBytes: space.freeBytes };
    });
  }

  /** NO_SUCH_FILE may be of all of it. */
  async function requiringBase<T>(session: SftpSession, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (hasStatus(error, STATUS.NO_SUCH_FILE)) await requireBase(session, base, where);
      throw error;
    }
  }

  return {
    location: where,
    put: async (key, body, options = {}) => mapped(put(key, body, options), `write ${key} at ${where}`),
    get: (key, options = {}) => mappedEach(get(key, options), `read ${key} at ${where}`),
    list: (prefix, options = {}) => mappedEach(list(prefix, options), `list ${prefix} at ${where}`),
    keys: (prefix, options = {}) => mappedEach(keys(prefix, options), `list ${prefix} at ${where}`),
    delete: async (key, options = {}) => mapped(remove(key, options), `delete ${key} at ${where}`),
    capacity: async (options = {}) => mapped(capacity(options), `look at ${where}`),
  };
}

async function mapped<T>(call: Promise<T>, doing: string): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw sftpError(error, doing);
  }
}

async function* mappedEach<T>(items: AsyncIterable<T>, doing: string): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw sftpError(error, doing);
  }
}
