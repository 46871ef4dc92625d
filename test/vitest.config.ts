import path from "node:path";
import { defineConfig } from "vitest/config";

// Workers mark what they start as belonging to this process; see lab/lab-run.ts.
const env = { MQBACKUP_LAB_OWNER: String(process.pid) };

const withBrokers = {
  globalSetup: ["test/lab/shared-brokers.setup.ts"],
  testTimeout: 120_000,
  hookTimeout: 180_000,
  teardownTimeout: 60_000,
};

function project(name: string, include: readonly string[], more: object = {}) {
  return { extends: true as const, test: { name, include: [...include], ...more } };
}

/**
 * Tiers, cheap ones first. Only `integration` and `cli` start brokers, once for both; they need Docker and images
 * (`bin/setup --lab`), or MQBACKUP_TEST_URL.
 */
export default defineConfig({
  root: path.resolve(import.meta.dirname, ".."),
  test: {
    env,
    retry: 0,
    // Tests wait for brokers more than they work: two files at once, also on two cores.
    maxWorkers: 2,
    // No test asserts a time; a busy machine must not fail one either.
    testTimeout: 60_000,
    restoreMocks: true,
    projects: [
      project("unit", ["test/unit/**/*.test.ts", "test/architecture.test.ts"]),
      project("contract", ["test/contract/**/*.test.ts"]),
      project("faults", ["test/faults/**/*.test.ts"]),
      project("integration", ["test/integration/**/*.test.ts"], withBrokers),
      project("cli", ["test/cli/**/*.test.ts"], withBrokers),
    ],
  },
});
