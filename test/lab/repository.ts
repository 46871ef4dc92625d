import { createHash } from "node:crypto";
import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Manifest } from "../../src/domain/manifest.ts";
import { committedAt } from "./scene.ts";
import { tempDirectory, type TempDirectory } from "./temp.ts";

const FIXTURE = path.resolve(import.meta.dirname, "../../fixtures/format-1/repository");

/** Something anyone may change: the tests of damage do. */
export type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;

/** A copy of a repository, to be damaged. The default is that of `fixtures/`, which has a bit of everything. */
export interface RepositoryCopy extends TempDirectory {
  readonly id: string;
  /** Path of a file of the backup, or of the repository if there is a slash in front. */
  file(name: string): string;
  /** Inverts the byte at this place, counted from the end when negative. */
  flip(name: string, at: number): Promise<void>;
  manifest(): Promise<Mutable<Manifest>>;
  /** Puts a manifest that is sealed as it should be, whatever it says. */
  seal(manifest: object): Promise<void>;
}

export async function repositoryCopy(of: string = FIXTURE): Promise<RepositoryCopy> {
  const directory = await tempDirectory();
  await cp(of, directory.path, { recursive: true });
  const id = (await committedAt(directory.path)).at(-1) ?? "";
  const file = (name: string): string =>
    name.startsWith("/") ? directory.join(name.slice(1)) : directory.join("backups", id, name);
  return {
    ...directory,
    id,
    file,
    flip: async (name, at) => {
      const bytes = await readFile(file(name));
      const place = at < 0 ? bytes.length + at : at;
      bytes.writeUInt8(bytes.readUInt8(place) ^ 0xff, place);
      await writeFile(file(name), bytes);
    },
    manifest: async () => JSON.parse(await readFile(file("manifest.json"), "utf8")) as Mutable<Manifest>,
    seal: (manifest) => writeFile(file("manifest.json"), sealed(manifest)),
  };
}

/** As FORMAT.md says: the last member is the sum of all before its line. */
function sealed(document: object): string {
  const { sha256: _before, ...rest } = { sha256: "", ...document };
  const before = `${JSON.stringify(rest, null, 2).slice(0, -2)},\n`;
  return `${before}  "sha256": "${sha256Of(before)}"\n}\n`;
}

export function sha256Of(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
