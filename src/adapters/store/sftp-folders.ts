import { basename, dirname, join } from "node:path/posix";
import type { FileEntryWithStats } from "ssh2";
import { isOfDead } from "./ownership.ts";
import { hasStatus, STATUS } from "./sftp-errors.ts";
import { statOrNull } from "./sftp-looks.ts";
import { StatusAnswer, type CallOptions, type SftpSession } from "./sftp-session.ts";

/** The folders below `base` that are missing, durably. Rejects StatusAnswer; NO_SUCH_FILE where `base` is missing. */
export async function makeFolders(
  session: SftpSession,
  base: string,
  parts: readonly string[],
  syncMs: number,
): Promise<void> {
  let folder = base;
  for (const part of parts) {
    const parent = folder;
    folder = join(parent, part);
    const made = folder;
    try {
      await session.call((sftp, done) => sftp.mkdir(made, { mode: 0o700 }, done));
    } catch (error) {
      // Whatever is wrong with a folder that is there, its use will tell.
      if (!hasStatus(error, STATUS.FAILURE, STATUS.PERMISSION_DENIED)) throw error;
      if ((await statOrNull(session, made)) === null) throw error;
      continue;
    }
    await syncFolder(session, parent, syncMs);
  }
}

/**
 * The names in a folder survive a power loss, where the server opens folders as files, as OpenSSH does. Where it does not, they are as
 * durable as its file system makes them.
 */
export async function syncFolder(session: SftpSession, folder: string, syncMs: number): Promise<void> {
  try {
    const handle = await session.ask<Buffer>((sftp, done) => sftp.open(folder, "r", done));
    await Promise.all([
      session.call((sftp, done) => sftp.ext_openssh_fsync(handle, done), { silenceMs: syncMs }),
      session.call((sftp, done) => sftp.close(handle, done)),
    ]);
  } catch (error) {
    if (!(error instanceof StatusAnswer)) throw error;
  }
}

/** Removes folders that are empty now, from the innermost outwards. Best effort: a put at the same time needs them. */
export async function pruneFolders(
  session: SftpSession,
  base: string,
  parts: readonly string[],
  options?: CallOptions,
): Promise<void> {
  for (let depth = parts.length; depth > 0; depth -= 1) {
    const folder = join(base, ...parts.slice(0, depth));
    try {
      await session.call((sftp, done) => sftp.rmdir(folder, done), options);
    } catch {
      return;
    }
  }
}

export async function entriesIn(
  session: SftpSession,
  folder: string,
  options: CallOptions,
): Promise<readonly FileEntryWithStats[]> {
  return session.ask<FileEntryWithStats[]>((sftp, done) => sftp.readdir(folder, done), options);
}

/** Removes what dead processes left beside `fresh`, which has just been written: it tells the server's time. */
export async function sweepDead(session: SftpSession, fresh: string): Promise<void> {
  const folder = dirname(fresh);
  const entries = await entriesIn(session, folder, {});
  const now = entries.find(({ filename }) => filename === basename(fresh))?.attrs.mtime;
  if (now === undefined) return;
  for (const { filename, attrs } of entries) {
    if (!(await isOfDead(filename, async () => (now - attrs.mtime) * 1000))) continue;
    await session.call((sftp, done) => sftp.unlink(join(folder, filename), done)).catch(() => undefined);
  }
}
