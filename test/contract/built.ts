import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

const ROOT = path.resolve(import.meta.dirname, "../..");

export interface BuiltSources extends AsyncDisposable {
  /** Where a file of src, such as "adapters/codec/threaded-codec.ts", lies as JavaScript. */
  url(file: string): URL;
}

/** The sources of this moment as JavaScript: what runs in threads cannot be loaded from TypeScript. */
export async function buildSources(): Promise<BuiltSources> {
  const cache = path.join(ROOT, ".cache");
  await mkdir(cache, { recursive: true });
  const directory = await mkdtemp(path.join(cache, "built-"));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const compiler = path.join(ROOT, "node_modules/typescript/bin/tsc");
    await promisify(execFile)(process.execPath, [compiler, "-p", ROOT, "--noCheck", "--outDir", directory]);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    url: (file) => pathToFileURL(path.join(directory, file.replace(/\.ts$/, ".js"))),
    [Symbol.asyncDispose]: remove,
  };
}
