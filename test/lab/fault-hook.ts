import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { tempDirectory } from "./temp.ts";
import { until } from "./until.ts";

export interface FaultHook extends AsyncDisposable {
  /** For the program's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Resolves when the call is under way; it goes on when the program gets a signal. */
  held(): Promise<void>;
  /** Largest resident set the program had, in bytes; after its end. */
  peakBytes(): number;
}

/**
 * Looks into the program from outside: stops its first link, rename or open (or of these `calls`) of a path that matches `hold`, and sees how much
 * memory it took at most (Linux).
 */
export async function faultHook(
  hold?: RegExp,
  calls: readonly ("link" | "rename" | "open")[] = ["link", "rename", "open"],
): Promise<FaultHook> {
  const directory = await tempDirectory();
  const [mark, status] = [directory.join("held"), directory.join("status")];
  const script = path.join(import.meta.dirname, "fault-hook.js");
  return {
    env: {
      NODE_OPTIONS: `--import ${script}`,
      LAB_STATUS_FILE: status,
      ...(hold && { LAB_HOLD_PATH: hold.source, LAB_HOLD_CALLS: calls.join(" "), LAB_HOLD_MARK: mark }),
    },
    held: async () => void (await until(`a call for ${String(hold)}`, () => existsSync(mark))),
    peakBytes: () => {
      const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(status, "utf8")) ?? [];
      if (kilobytes === undefined) throw new Error("no VmHWM");
      return Number(kilobytes) * 1024;
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}
