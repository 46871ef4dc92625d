import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { startBroker } from "../lab/brokers.ts";
import { publishAll } from "../lab/publish.ts";
import { declareQueue, untilReady } from "../lab/queues.ts";
import { startS3Server, type S3Server } from "../lab/s3-server.ts";
import { tempDirectory } from "../lab/temp.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";
import { checkTime, measureNode, median, type Measured } from "./measure.ts";
import { brokerOf, type Subject } from "./subject.ts";

const USAGE = `usage: npm run bench:s3 -- [--messages <n>] [--large <n>] [--repeats <n>] [--program <file>]

Starts a RabbitMQ 4.3 and a Ceph RGW of its own in Docker and measures "mqbackup full" of one classic queue, in turns to a directory and to S3: messages of
1 KiB (default 300,000) for the time, and once bodies of 64 KiB that cannot be compressed (default 32,768: 2 GiB) for the memory. The stores share the machine
with all else; only the ratio means something. Needs GNU time. --messages 0 or --large 0 leaves one out.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      messages: { type: "string", default: "300000" },
      large: { type: "string", default: "32768" },
      repeats: { type: "string", default: "3" },
      program: { type: "string", default: "bin/mqbackup.js" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  checkTime();
  await using broker = await startBroker({ version: "4.3", network: "host" });
  await using server = await startS3Server();
  await using temp = await tempDirectory();
  const program = path.resolve(values.program);
  for (const [name, bodyBytes, count, repeats] of [
    ["1 KiB", 1024, Number(values.messages), Number(values.repeats)],
    ["64 KiB, incompressible", 65_536, Number(values.large), 1],
  ] as const) {
    if (count === 0) continue;
    await using vhost = await freshVhost(broker, "bench");
    await declareQueue(vhost, "q", "classic");
    if (bodyBytes === 1024) await publishJson({ program, vhost, temp }, count);
    else await publishRandom(vhost, count, bodyBytes);
    await untilReady(vhost, "q", count, { timeoutMs: 300_000 });
    process.stdout.write(`${count} messages of ${name}\n`);
    const [directory, s3]: [Measured[], Measured[]] = [[], []];
    for (let n = 0; n <= repeats; n += 1) {
      const measured = [
        await toDirectory({ program, vhost, temp }, `${bodyBytes}-${n}`),
        await toS3({ program, vhost, temp }, server),
      ] as const;
      // The first turn is for warming up, where there is more than one.
      if (n === 0 && repeats > 1) continue;
      directory.push(measured[0]);
      s3.push(measured[1]);
      if (repeats === 1) break;
    }
    tell("directory", directory);
    tell("S3", s3);
    const wall = (runs: readonly Measured[]): number => median(runs.map((run) => run.wallSeconds));
    process.stdout.write(`  rate to S3 / to a directory: ${(wall(directory) / wall(s3)).toFixed(2)}\n`);
  }
}

async function publishJson({ vhost, temp }: Subject, count: number): Promise<void> {
  const publisher = path.join(import.meta.dirname, "bare-publisher.js");
  await measureNode([publisher, vhost.url, String(count), "1024", "q"], temp);
}

async function publishRandom(vhost: LabVhost, count: number, bytes: number): Promise<void> {
  for (let left = count; left > 0; left -= 512) {
    const some = Array.from({ length: Math.min(512, left) }, () => randomBytes(bytes));
    await publishAll(
      vhost,
      "q",
      some.map((body) => ({ body, properties: {} })),
    );
  }
}

async function toDirectory(subject: Subject, name: string): Promise<Measured> {
  const target = subject.temp.join(name);
  await mkdir(target);
  return runBackup(subject, target);
}

async function toS3(subject: Subject, server: S3Server): Promise<Measured> {
  const target = `s3://${await server.makeBucket()}?endpoint=${server.endpoint}&pathStyle=true`;
  return runBackup(subject, target, server.user.env);
}

async function runBackup({ program, vhost, temp }: Subject, target: string, env = {}): Promise<Measured> {
  const args = ["full", "--target", target, "--accept", "in-flight", "--accept", "hold-memory", "--quiet"];
  return measureNode([program, ...args], temp, { ...brokerOf(vhost), ...env });
}

function tell(where: string, runs: readonly Measured[]): void {
  const of = (pick: (run: Measured) => number): string => median(runs.map(pick)).toFixed(2);
  const most = Math.max(...runs.map((run) => run.peakRssBytes)) / 1e6;
  process.stdout.write(
    `  to ${where}: ${of((run) => run.wallSeconds)} s (${runs.map((run) => run.wallSeconds.toFixed(1)).join(", ")}), ` +
      `${of((run) => run.cpuSeconds)} s of CPU, ${most.toFixed(0)} MB at most\n`,
  );
}

await main();
