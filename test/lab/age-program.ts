import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";

/** The reference programs `age` and `age-keygen`; see `bin/setup --lab`. */
export const HAS_AGE = runs("age", "--version") && runs("age-keygen", "--version");
/** util-linux, for the terminal at which age asks for a passphrase. */
const TERMINAL = "script";
export const HAS_SCRIPT = runs(TERMINAL, "--version");

/** Gives what it writes. */
export async function age(...args: readonly string[]): Promise<Buffer> {
  const options = { encoding: "buffer", maxBuffer: 64 * 1024 * 1024 } as const;
  const { stdout } = await promisify(execFile)("age", args, options);
  return stdout;
}

/** A new identity in `file`; gives its recipient. */
export async function ageKeygen(file: string): Promise<string> {
  await promisify(execFile)("age-keygen", ["-o", file]);
  return ageRecipient(file);
}

/** Of the identity in `file`. */
export async function ageRecipient(file: string): Promise<string> {
  const { stdout } = await promisify(execFile)("age-keygen", ["-y", file]);
  return stdout.trim();
}

/** `answer` is typed in as often as age asks for it. Arguments without blanks. */
export async function ageAtTerminal(answer: string, ...args: readonly string[]): Promise<void> {
  const child = spawn(TERMINAL, ["-qec", ["age", ...args].join(" "), "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let asked = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    asked += text;
    if (!/passphrase[^:]*: *$/i.test(text.trimEnd())) return;
    child.stdin.write(`${answer}\n`);
  });
  await once(child, "close");
  if (child.exitCode !== 0) throw new Error(`age ${args.join(" ")} ended with ${child.exitCode}: ${asked}`);
}

function runs(program: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
