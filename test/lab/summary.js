// Ends a test run: summary.js RESULTS [FAILED STEP...]
// Reads vitest's JSON results, lists what failed, prints the one line that counts and sets the exit status.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

const [file = "", ...failedSteps] = process.argv.slice(2);
const results = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8"))
  : { success: true, testResults: [] };

const failures = failedSteps.map((name) => `step ${name}`);
const counts = { passed: 0, skipped: 0 };
for (const { name, status, assertionResults } of results.testResults) {
  const where = path.relative(process.cwd(), name);
  const failed = assertionResults.filter((test) => test.status === "failed");
  failures.push(...failed.map((test) => `${where}: ${test.fullName}`));
  if (status === "failed" && failed.length === 0) failures.push(`${where}: the file itself`);
  counts.passed += assertionResults.filter((test) => test.status === "passed").length;
  counts.skipped += assertionResults.filter((test) => !["passed", "failed"].includes(test.status)).length;
}
if (!results.success && failures.length === failedSteps.length)
  failures.push("vitest: errors outside of tests");

const lines = failures.map((failure) => `failed: ${failure}`);
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
lines.push(`${counts.passed} passed, ${failures.length} failed${skipped}`);
process.stdout.write(`\n${lines.join("\n")}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
