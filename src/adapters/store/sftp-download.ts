import { Buffer } from "node:buffer";
import type { Stats } from "ssh2";
import { BackupError } from "../../domain/errors.ts";
import type { GetOptions } from "../../ports/store.ts";
import type { SftpConnection } from "./sftp-connection.ts";
import { STATUS } from "./sftp-errors.ts";
import { StatusAnswer, type SftpSession } from "./sftp-session.ts";

/** Asked for at once, and what one request asks for: with what is being looked at, all that is in memory of an object. */
const READS_AT_ONCE = 32;
const READ_BYTES = 128 * 1024;

/**
 * The bytes of a file, several requests ahead. On a new connection what is still wanted is asked for again, of the same file. Throws
 * ARCHIVE_DAMAGED past the end, StatusAnswer NO_SUCH_FILE when there is none, or it is none.
 */
export async function* download(
  connection: SftpConnection,
  file: string,
  key: string,
  { range, signal }: GetOptions,
): AsyncGenerator<Uint8Array> {
  const remote = new RemoteFile(connection, file, key, signal);
  try {
    const size = await remote.size();
    const end = range === undefined ? size : range.offset + range.length;
    if (end > size) throw tooShort(key, end, size);
    const ahead: Promise<Uint8Array>[] = [];
    for (let at = range?.offset ?? 0; at < end || ahead.length > 0;) {
      for (; at < end && ahead.length < READS_AT_ONCE; at += READ_BYTES) {
        const part = remote.part(at, Math.min(READ_BYTES, end - at));
        part.catch(() => undefined); // whoever comes first tells
        ahead.push(part);
      }
      const next = ahead.shift();
      if (next !== undefined) yield await next;
    }
  } finally {
    remote.release();
  }
}

interface Open {
  readonly session: SftpSession;
  readonly handle: Promise<Buffer>;
}

class RemoteFile {
  readonly #connection: SftpConnection;
  readonly #file: string;
  readonly #key: string;
  readonly #signal: AbortSignal | undefined;
  #open: Open | null = null;
  /** When it was first opened. */
  #stats: Stats | null = null;

  constructor(connection: SftpConnection, file: string, key: string, signal: AbortSignal | undefined) {
    this.#connection = connection;
    this.#file = file;
    this.#key = key;
    this.#signal = signal;
  }

  async size(): Promise<number> {
    await this.#connection.run(this.#signal, async (session) => this.#handle(session));
    return this.#stats?.size ?? 0;
  }

  async part(at: number, length: number): Promise<Uint8Array> {
    return this.#connection.run(this.#signal, async (session) => {
      const handle = await this.#handle(session);
      const part = Buffer.allocUnsafeSlow(length);
      for (let filled = 0; filled < length;) {
        const bytesRead = await session.ask<number>(
          (sftp, done) =>
            sftp.read(handle, part, filled, length - filled, at + filled, (error, count) =>
              done(error, count),
            ),
          { signal: this.#signal },
        );
        if (bytesRead === 0) throw tooShort(this.#key, at + length, at + filled);
        filled += bytesRead;
      }
      return part;
    });
  }

  release(): void {
    const { session, handle } = this.#open ?? {};
    handle
      ?.then(async (opened) => session?.call((sftp, done) => sftp.close(opened, done)))
      .catch(() => undefined);
  }

  async #handle(session: SftpSession): Promise<Buffer> {
    if (this.#open?.session !== session) this.#open = { session, handle: this.#opened(session) };
    return this.#open.handle;
  }

  /** An object that was replaced meanwhile is not mixed with what it was. */
  async #opened(session: SftpSession): Promise<Buffer> {
    const options = { signal: this.#signal };
    const handle = await session.ask<Buffer>((sftp, done) => sftp.open(this.#file, "r", done), options);
    const stats = await session.ask<Stats>((sftp, done) => sftp.fstat(handle, done), options);
    if (!stats.isFile()) {
      await session.call((sftp, done) => sftp.close(handle, done), options);
      throw new StatusAnswer(STATUS.NO_SUCH_FILE);
    }
    this.#stats ??= stats;
    if (stats.size === this.#stats.size && stats.mtime === this.#stats.mtime) return handle;
    throw new BackupError("TARGET_FAILED", `${this.#key} was replaced while it was read`);
  }
}

function tooShort(key: string, wanted: number, size: number): BackupError {
  return new BackupError("ARCHIVE_DAMAGED", `${key} ends at byte ${size}, byte ${wanted} was wanted`);
}
