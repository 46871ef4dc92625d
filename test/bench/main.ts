import path from "node:path";
import { parseArgs } from "node:util";
import { startBroker, type Broker } from "../lab/brokers.ts";
import { tempDirectory } from "../lab/temp.ts";
import { freshVhost } from "../lab/vhost.ts";
import { selectCases } from "./cases.ts";
import { checkTime } from "./measure.ts";
import { report } from "./report.ts";
import { runCase, type CaseMeasured } from "./run-case.ts";
import { runHelp, type Subject } from "./subject.ts";

const USAGE = `usage: npm run bench -- [--quick] [--only <text>] [--repeats <n>] [--no-restore] [--program <file>] [--json]

Starts a RabbitMQ 4.3 of its own on the host's network (Docker, image as for the tests), fills queues, and measures side by side
a bare reader, a plain amqplib consumer and "mqbackup full", then "mqbackup incremental", a bare publisher and "mqbackup restore". Half an hour; alone on
the machine, or the figures mean little. --quick: a tenth of the messages. Needs GNU time and zstd.

MQBACKUP_BENCH_URL, MQBACKUP_BENCH_MANAGEMENT_URL: a broker that runs already, with a user who may make virtual hosts.
`;

const HELP_RUNS = 11;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      repeats: { type: "string", default: "3" },
      restore: { type: "boolean", default: true },
      program: { type: "string", default: "bin/mqbackup.js" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
    allowNegative: true,
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  checkTime();
  await using broker = await openBroker();
  // Without its broker the run fails at its next step, and cleans up behind itself.
  interruption.signal.addEventListener("abort", () => void broker[Symbol.asyncDispose]());
  await using temp = await tempDirectory();
  const program = path.resolve(values.program);
  const measured: CaseMeasured[] = [];
  const progress = (text: string): void => void process.stderr.write(`bench: ${text}\n`);
  for (const bench of selectCases(values.only, values.quick)) {
    await using vhost = await freshVhost(broker, "bench");
    const subject: Subject = { program, vhost, temp };
    const options = { subject, repeats: Number(values.repeats), restores: values.restore, progress };
    measured.push(await runCase(bench, options));
    process.stderr.write(report(measured.slice(-1), []));
  }
  const helpMs = await helpTimes(program);
  process.stdout.write(
    values.json ? JSON.stringify({ measured, helpMs }, null, 2) + "\n" : report(measured, helpMs),
  );
}

async function helpTimes(program: string): Promise<number[]> {
  await using temp = await tempDirectory();
  const times: number[] = [];
  for (let n = 0; n <= HELP_RUNS; n += 1) {
    const { wallSeconds } = await runHelp({ program, temp });
    if (n > 0) times.push(wallSeconds * 1000);
  }
  return times;
}

async function openBroker(): Promise<Broker & AsyncDisposable> {
  const url = process.env["MQBACKUP_BENCH_URL"];
  if (url === undefined) return startBroker({ version: "4.3", network: "host" });
  const { hostname, port, username, password } = new URL(url);
  const [name, secret] = [decodeURIComponent(username || "guest"), decodeURIComponent(password || "guest")];
  return {
    version: "given",
    host: hostname,
    username: name,
    password: secret,
    amqpPort: Number(port || 5672),
    amqpUrl: url.replace(/\/$/, ""),
    managementUrl: process.env["MQBACKUP_BENCH_MANAGEMENT_URL"] ?? `http://${hostname}:15672`,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interruption.abort());
await main().catch((error: unknown) => {
  if (!interruption.signal.aborted) throw error;
  process.exitCode = 130;
});
