import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../..");

/** What would put memory, with its secrets, into a file, or arguments into a process title. */
const DUMPS =
  /[hH]eap-?[sS]napshot|heapdump|process\.abort|writeReport|process\.report|report-on|report-uncaught|node:inspector|setFlagsFromString|process\.title|SIGABRT|SIGQUIT/;

function filesOf(directory: string): readonly string[] {
  return readdirSync(path.join(ROOT, directory), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(ts|js)$/.test(file))
    .map((file) => path.join(directory, file));
}

test("the program never writes its memory to a file", () => {
  const files = [...filesOf("src"), "bin/mqbackup.js"];
  expect(files.length).toBeGreaterThan(100);
  expect(files.filter((file) => DUMPS.test(readFileSync(path.join(ROOT, file), "utf8")))).toEqual([]);
});

test.each([
  `v8.writeHeapSnapshot("x");`,
  `v8.getHeapSnapshot().pipe(file);`,
  `v8.setHeapSnapshotNearHeapLimit(1);`,
  `process.abort();`,
  `process.report.writeReport();`,
  `process.title = url;`,
  `new Worker(file, { execArgv: ["--heapsnapshot-near-heap-limit=1"] });`,
  `import inspector from "node:inspector";`,
  `process.kill(process.pid, "SIGABRT");`,
])("the search sees %s", (line) => expect(line).toMatch(DUMPS));
