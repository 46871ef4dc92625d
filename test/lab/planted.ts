import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { filesBelow } from "./temp.ts";

/** Texts nobody may see, by what they are: letters, digits and what no encoding of URLs or JSON changes. */
export type Planted = Readonly<Record<string, string>>;

/** Which of them a text holds, however encoded, also within something longer that is encoded as a whole. */
export function plantedIn(text: string, planted: Planted): readonly string[] {
  return Object.keys(planted).filter((name) =>
    forms(planted[name] ?? "").some((form) => text.includes(form)),
  );
}

/** The same of every file below a directory, its name and, of an archive, what is compressed within: "<name> in <file>". */
export async function plantedBelow(directory: string, planted: Planted): Promise<readonly string[]> {
  const found: string[] = [];
  for (const file of existsSync(directory) ? await filesBelow(directory) : []) {
    const bytes = await readFile(path.join(directory, file));
    const within = file.endsWith(".zst") ? unpacked(bytes) : "";
    const names = plantedIn(`${file}\n${bytes.toString("latin1")}\n${within}`, planted);
    found.push(...names.map((name) => `${name} in ${file}`));
  }
  return found;
}

/** What everybody on the machine may read of a process, its threads and its descendants (Linux): arguments and names. */
export async function seenOfProcess(pid: number): Promise<string> {
  const seen = [await readFile(`/proc/${pid}/cmdline`, "utf8")];
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    seen.push(await readFile(`/proc/${pid}/task/${thread}/comm`, "utf8"));
    const children = await readFile(`/proc/${pid}/task/${thread}/children`, "utf8");
    for (const child of children.split(" ").filter(Boolean)) seen.push(await seenOfProcess(Number(child)));
  }
  return seen.join("\n");
}

function unpacked(bytes: Buffer): string {
  return execFileSync("zstd", ["-dcq"], { input: bytes, maxBuffer: 2 ** 26 }).toString("latin1");
}

/** As it is, in hexadecimal, and as base64 wherever it begins in what is encoded. */
function forms(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString("hex");
  const base64 = [0, 1, 2].flatMap((before) => {
    // The letters at both ends depend on what is beside it.
    const whole = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replaceAll("=", "");
    const own = whole.slice(before === 0 ? 0 : before + 1, -2);
    return [own, own.replaceAll("+", "-").replaceAll("/", "_")];
  });
  return [...new Set([secret, hex, hex.toUpperCase(), ...base64])];
}
