import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { tempDirectory } from "../../lab/temp.ts";

const SUMMARY = path.resolve(import.meta.dirname, "../../lab/summary.js");

interface Report {
  readonly success: boolean;
  readonly testResults: readonly object[];
}

async function summary(report: Report | undefined, failedSteps: readonly string[] = []) {
  await using directory = await tempDirectory();
  const file = directory.join("results.json");
  if (report !== undefined) await writeFile(file, JSON.stringify(report));
  const { stdout, status } = spawnSync(process.execPath, [SUMMARY, file, ...failedSteps], {
    encoding: "utf8",
  });
  return { lines: stdout.trim().split("\n"), lastLine: stdout.trimEnd().split("\n").at(-1), status };
}

function fileWith(status: string, ...tests: readonly string[]): object {
  const assertionResults = tests.map((each, i) => ({ status: each, fullName: `test ${i}` }));
  return { name: path.resolve("test/some.test.ts"), status, assertionResults };
}

test("counts what passed and succeeds", async () => {
  const report = {
    success: true,
    testResults: [fileWith("passed", "passed", "passed"), fileWith("passed", "passed")],
  };
  expect(await summary(report)).toMatchObject({ lastLine: "3 passed, 0 failed", status: 0 });
});

test("counts what failed and what was skipped, and names the failures", async () => {
  const report = { success: false, testResults: [fileWith("failed", "passed", "failed", "pending", "todo")] };
  const { lines, lastLine, status } = await summary(report);
  expect(lines).toContain("failed: test/some.test.ts: test 1");
  expect({ lastLine, status }).toEqual({ lastLine: "1 passed, 1 failed, 2 skipped", status: 1 });
});

test("counts a file that could not be loaded as a failure", async () => {
  const report = { success: false, testResults: [fileWith("failed"), fileWith("passed", "passed")] };
  expect(await summary(report)).toMatchObject({ lastLine: "1 passed, 1 failed", status: 1 });
});

test("counts errors outside of tests as a failure", async () => {
  const report = { success: false, testResults: [fileWith("passed", "passed")] };
  expect(await summary(report)).toMatchObject({ lastLine: "1 passed, 1 failed", status: 1 });
});

test("counts failed steps, with results and without", async () => {
  const report = { success: true, testResults: [fileWith("passed", "passed")] };
  expect(await summary(report, ["knip", "tsc"])).toMatchObject({ lastLine: "1 passed, 2 failed", status: 1 });
  expect(await summary(undefined, ["vitest (exit status 143)"])).toMatchObject({
    lastLine: "0 passed, 1 failed",
    status: 1,
  });
});
