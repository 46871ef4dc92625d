import { lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

export interface TempDirectory extends AsyncDisposable {
  /** Absolute path of the directory. */
  readonly path: string;
  /** A path inside it. */
  join(...parts: readonly string[]): string;
}

/** An empty directory of our own, removed with everything in it on disposal. The name tells whose it is: see `sweep`. */
export async function tempDirectory(): Promise<TempDirectory> {
  const directory = await mkdtemp(path.join(tmpdir(), `mqbackup-lab-${process.pid}-`));
  return {
    path: directory,
    join: (...parts) => path.join(directory, ...parts),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Relative paths of all files below a directory, in order; links and the like count as files. */
export async function filesBelow(directory: string): Promise<string[]> {
  const files: string[] = [];
  for (const name of await readdir(directory, { recursive: true })) {
    if (!(await lstat(path.join(directory, name))).isDirectory()) files.push(name);
  }
  return files.toSorted();
}
