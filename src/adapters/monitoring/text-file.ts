import { randomBytes } from "node:crypto";
import { lstat, open, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { BackupError } from "../../domain/errors.ts";

/** What the file holds now; empty when there is none. Throws METRICS_FAILED. */
export async function readWhole(file: string): Promise<string> {
  try {
    const stats = await lstat(file);
    // A device or a directory would be replaced by the new file.
    if (!stats.isFile() && !stats.isSymbolicLink()) throw refused(file, "it is no file");
    return await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "";
    throw error instanceof BackupError ? error : refused(file, codeOf(error), error);
  }
}

/** Whoever reads the file finds the old text or the new one, never a part. Readable to all. Throws METRICS_FAILED. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const name = `.${path.basename(file)}.${process.pid}-${randomBytes(4).toString("hex")}`;
  const temporary = path.join(path.dirname(file), name);
  try {
    const handle = await open(temporary, "wx", 0o644);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw refused(file, codeOf(error), error);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}

function refused(file: string, why: string, cause?: unknown): BackupError {
  return new BackupError("METRICS_FAILED", `metrics file ${file} cannot be written: ${why}`, {
    hint: "Look at --metrics-file, and at the permissions of its directory; what the run did stands.",
    ...(cause === undefined ? {} : { cause }),
  });
}
