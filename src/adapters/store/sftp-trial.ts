import { BackupError } from "../../domain/errors.ts";
import { NotOffered, StatusAnswer, type SftpSession } from "./sftp-session.ts";

/**
 * Tries out on a file of ours what puts rest on: a sync, a name given only where none is, a name that takes another's place. Throws
 * TARGET_REFUSED where the server, or its file system, has one of them not.
 */
export async function tryOut(session: SftpSession, file: string, where: string): Promise<void> {
  const [linked, renamed] = [`${file}-linked`, `${file}-renamed`];
  try {
    await required("fsync@openssh.com", where, async () => {
      const handle = await session.ask<Buffer>((sftp, done) => sftp.open(file, "r", done));
      try {
        await session.call((sftp, done) => sftp.ext_openssh_fsync(handle, done));
      } finally {
        await session.call((sftp, done) => sftp.close(handle, done));
      }
    });
    await required("hardlink@openssh.com", where, async () =>
      session.call((sftp, done) => sftp.ext_openssh_hardlink(file, linked, done)),
    );
    await required("posix-rename@openssh.com", where, async () =>
      session.call((sftp, done) => sftp.ext_openssh_rename(linked, renamed, done)),
    );
  } finally {
    for (const name of [linked, renamed])
      await session.call((sftp, done) => sftp.unlink(name, done)).catch(() => undefined);
  }
}

async function required(extension: string, where: string, trial: () => Promise<void>): Promise<void> {
  try {
    await trial();
  } catch (error) {
    if (!(error instanceof NotOffered) && !(error instanceof StatusAnswer)) throw error;
    const why = error instanceof NotOffered ? "the server does not offer" : "its file system does not do";
    throw new BackupError("TARGET_REFUSED", `${where} cannot keep backups safely: ${why} ${extension}`, {
      hint: "Choose a server with OpenSSH, and a file system with hard links; the README lists what is needed.",
      cause: error,
    });
  }
}
