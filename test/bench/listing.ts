import { mkdir } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { tempDirectory } from "../lab/temp.ts";
import { writeManyBackups } from "./many-backups.ts";
import { checkTime, measureNode, median, type Measured } from "./measure.ts";

const USAGE = `usage: npm run bench:list -- [--backups <n>] [--queues <n>] [--repeats <n>] [--program <file>]

Makes a repository of many small backups (default 5,000 of 20 queues each) and measures how long "mqbackup list" takes for it, as a
whole process. No broker. Needs GNU time.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      backups: { type: "string", default: "5000" },
      queues: { type: "string", default: "20" },
      repeats: { type: "string", default: "7" },
      program: { type: "string", default: "bin/mqbackup.js" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  checkTime();
  await using temp = await tempDirectory();
  const target = temp.join("target");
  await mkdir(target);
  await writeManyBackups(target, Number(values.backups), Number(values.queues));
  for (const flags of [[], ["--json"]]) {
    const runs: Measured[] = [];
    for (let n = 0; n < Number(values.repeats); n += 1) {
      runs.push(
        await measureNode([path.resolve(values.program), "list", "--target", target, ...flags], temp),
      );
    }
    const of = (pick: (run: Measured) => number): string => median(runs.map(pick)).toFixed(2);
    process.stdout.write(
      `list ${flags.join(" ")} of ${values.backups} backups: ${of((run) => run.wallSeconds)} s, ${of((run) => run.cpuSeconds)} s of CPU, ` +
        `${(Math.max(...runs.map((run) => run.peakRssBytes)) / 1e6).toFixed(0)} MB; ${runs[0]?.stdout.split("\n").length} lines\n`,
    );
  }
}

await main();
