import type { Stats } from "ssh2";
import { BackupError } from "../../domain/errors.ts";
import { Full, hasStatus, ReadOnly, STATUS } from "./sftp-errors.ts";
import { NotOffered, StatusAnswer, type CallOptions, type SftpSession } from "./sftp-session.ts";

/** null: there is nothing. Links are followed. */
export async function statOrNull(
  session: SftpSession,
  file: string,
  options?: CallOptions,
): Promise<Stats | null> {
  try {
    return await session.ask<Stats>((sftp, done) => sftp.stat(file, done), options);
  } catch (error) {
    if (hasStatus(error, STATUS.NO_SUCH_FILE)) return null;
    throw error;
  }
}

/** Throws TARGET_MISSING: a file system that is not mounted must not pass for an empty one. */
export async function requireBase(
  session: SftpSession,
  base: string,
  where: string,
  options?: CallOptions,
): Promise<void> {
  const stats = await statOrNull(session, base, options);
  if (stats?.isDirectory() === true) return;
  const why = stats === null ? "does not exist" : "is not a directory";
  throw new BackupError("TARGET_MISSING", `target ${where} ${why}`, {
    hint: "Make the directory there, or mount the file system it is on, and run again.",
  });
}

/** Of a file system. */
interface Space {
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly freeFiles: number;
  readonly isReadOnly: boolean;
}

interface StatVfs {
  readonly f_frsize: number;
  readonly f_blocks: number;
  readonly f_bavail: number;
  readonly f_favail: number;
  readonly f_flag: number;
}

const READ_ONLY = 1;

/** null: the server does not tell. */
export async function spaceAt(
  session: SftpSession,
  folder: string,
  options?: CallOptions,
): Promise<Space | null> {
  try {
    const { f_frsize, f_blocks, f_bavail, f_favail, f_flag } = await session.ask<StatVfs>(
      (sftp, done) => sftp.ext_openssh_statvfs(folder, done),
      options,
    );
    return {
      totalBytes: f_frsize * f_blocks,
      freeBytes: f_frsize * f_bavail,
      freeFiles: f_favail,
      isReadOnly: f_flag % 2 === READ_ONLY,
    };
  } catch (error) {
    if (error instanceof NotOffered || error instanceof StatusAnswer) return null;
    throw error;
  }
}

/** Less than this is nothing: what was being written when the file system got full may have left some. */
const LEAST_FREE_BYTES = 4 * 1024 * 1024;

/** The server's FAILURE tells nothing; what it was about while writing, as far as its file system tells: read-only, or full. */
export async function reasonOf(session: SftpSession, base: string, error: unknown): Promise<unknown> {
  if (!hasStatus(error, STATUS.FAILURE)) return error;
  const space = await spaceAt(session, base);
  if (space === null) return error;
  const { isReadOnly, freeBytes, freeFiles } = space;
  if (isReadOnly) return new ReadOnly();
  return freeBytes < LEAST_FREE_BYTES || freeFiles === 0 ? new Full() : error;
}
