import { runCli, type CliResult } from "./cli.ts";
import { expectClean } from "./scene.ts";

/** Runs the program on these targets without a broker, and holds what every run must hold. */
export async function runAt(targets: readonly string[], ...args: readonly string[]): Promise<CliResult> {
  const env = { MQBACKUP_TARGET: targets.join(","), TZ: "UTC" };
  const result = await runCli(args, { env });
  expectClean(result, "guest:guest");
  return result;
}
