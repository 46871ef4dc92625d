import { spawn } from "node:child_process";
import { pack } from "tar-stream";
import { bodyRing } from "./bodies.ts";
import type { BenchCase } from "./cases.ts";

/** Bytes of `tar | zstd -3` of the same bodies, one file a message. */
export async function tarZstdBytes({ queues, messages, bodyBytes }: BenchCase): Promise<number> {
  const zstd = spawn("zstd", ["-3", "-q", "-c"], { stdio: ["pipe", "pipe", "inherit"] });
  let stored = 0;
  zstd.stdout.on("data", (part: Buffer) => (stored += part.length));
  const ended = new Promise<void>((resolve, reject) => {
    zstd.on("error", reject);
    zstd.on("close", (status) => (status === 0 ? resolve() : reject(new Error(`zstd ended with ${status}`))));
  });
  const tar = pack();
  tar.pipe(zstd.stdin);
  const ring = bodyRing(messages, bodyBytes);
  for (let n = 0; n < queues * messages; n += 1) {
    const entry = { name: `queue-${Math.floor(n / messages)}/${n % messages}`, mode: 0o600 };
    await new Promise<void>((resolve, reject) => {
      tar.entry(entry, ring[(n % messages) % ring.length] ?? "", (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }
  tar.finalize();
  await ended;
  return stored;
}
