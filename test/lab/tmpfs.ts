import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { tempDirectory, type TempDirectory } from "./temp.ts";

const run = promisify(execFile);

/** Makes what `smallDisk` made read-only, or writable again. */
export async function remount(disk: TempDirectory, mode: "ro" | "rw"): Promise<void> {
  await run("mount", ["-o", `remount,${mode}`, disk.path]);
}

/**
 * A file system of `bytes` (rounded up to whole pages), for tests in which the disk gets full: writes beyond fail with
 * ENOSPC. Needs root on Linux and says so. Disposal unmounts and removes it.
 */
export async function smallDisk(bytes: number): Promise<TempDirectory> {
  const directory = await tempDirectory();
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=0700`, "mqbackup-lab", directory.path]);
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw new Error("a disk of a given size needs root (mount -t tmpfs)", { cause: error });
  }
  return {
    ...directory,
    [Symbol.asyncDispose]: async () => {
      await run("umount", ["--lazy", directory.path]);
      await directory[Symbol.asyncDispose]();
    },
  };
}
