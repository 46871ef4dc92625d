import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Runs the docker command line and resolves with its standard output.
 * Rejects with docker's own words when it fails or takes longer than `timeoutMs` (default one minute).
 */
export async function docker(args: readonly string[], timeoutMs = 60_000): Promise<string> {
  try {
    const { stdout } = await run("docker", [...args], { timeout: timeoutMs, maxBuffer: 64 << 20 });
    return stdout;
  } catch (error) {
    throw new Error(`docker ${args.join(" ")} failed: ${stderrOf(error)}`, { cause: error });
  }
}

/** The last `lines` lines a container has logged, both streams together; never rejects, it serves error messages. */
export async function containerLog(containerId: string, lines = 40): Promise<string> {
  try {
    const { stdout, stderr } = await run("docker", ["logs", "--tail", String(lines), containerId], {
      timeout: 20_000,
      maxBuffer: 64 << 20,
    });
    return stdout + stderr;
  } catch (error) {
    return `(no log: ${stderrOf(error)})`;
  }
}

/** Kills and removes a container with its volumes. One that is already gone is not an error. */
export async function removeContainer(containerId: string): Promise<void> {
  try {
    await docker(["rm", "--force", "--volumes", containerId]);
  } catch (error) {
    if (!/no such container/i.test(String(error))) throw error;
  }
}

function stderrOf(error: unknown): string {
  if (error instanceof Error && "stderr" in error && String(error.stderr).trim() !== "") {
    return String(error.stderr).trim();
  }
  return String(error);
}
