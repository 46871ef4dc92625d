import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { ReadingRecipe } from "../../src/domain/reading-recipe.ts";
import { until } from "./until.ts";
import type { LabVhost } from "./vhost.ts";

/** mqbackup's reader in a process of its own, which can be killed. */
export interface ReaderProcess extends AsyncDisposable {
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

const SCRIPT = `
const [module, endpoint, queue, recipe, options, enough] = JSON.parse(process.argv[1]);
const { amqpQueueReader } = await import(module);
recipe.maxConsumers ??= Infinity;
const cursor = await amqpQueueReader(endpoint).open(queue, recipe, options);
let seen = 0;
for await (const batch of cursor) {
  seen += batch.length;
  if (seen >= enough) break;
}
console.log(seen);
setInterval(() => undefined, 1000);
`;

/** Resolves when the process has read `enough` messages; it holds them, and does nothing more. */
export async function startReader(
  module: URL,
  vhost: LabVhost,
  queue: string,
  recipe: ReadingRecipe,
  enough: number,
): Promise<ReaderProcess> {
  const endpoint = {
    urls: [vhost.broker.amqpUrl],
    tls: {},
    auth: "plain",
    heartbeatSeconds: 10,
    connectionName: "mqbackup test",
    connectTimeoutMs: 10_000,
  };
  const options = { hold: "until-settled", maxHoldMs: 600_000, averageBodyBytes: 640 * 1024 };
  const address = { vhost: vhost.name, name: queue };
  const argument = JSON.stringify([module.href, endpoint, address, recipe, options, enough]);
  const child = spawn(process.execPath, ["--input-type=module", "--eval", SCRIPT, argument], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(child, "exit");
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  async function kill(): Promise<void> {
    child.kill("SIGKILL");
    await gone;
  }
  try {
    await until("the reader holds enough", () => {
      if (child.exitCode !== null) throw new Error(`the reader ended with status ${child.exitCode}`);
      return lines.length > 0;
    });
  } catch (error) {
    await kill();
    throw error;
  }
  return { kill, [Symbol.asyncDispose]: kill };
}
