import { mkdir, readdir } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";

import { runCli, startCli } from "../lab/cli.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue, untilReady } from "../lab/queues.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { tempDirectory, type TempDirectory } from "../lab/temp.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";

const MESSAGES = 2000;

let vhost: LabVhost;
let directory: TempDirectory;
let env: Record<string, string>;

beforeAll(async () => {
  vhost = await freshVhost(newestBroker(), "signal");
  directory = await tempDirectory();
  await mkdir(directory.join("target"));
  env = {
    MQBACKUP_URL: vhost.url,
    MQBACKUP_MANAGEMENT_URL: vhost.broker.managementUrl,
    MQBACKUP_TARGET: directory.join("target"),
  };
  await declareQueue(vhost, "q", "quorum");
  await fill(vhost, "q", MESSAGES);
});
afterAll(async () => {
  await vhost[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

/** So slow that it would take minutes. */
const SLOWLY = ["full", "--rate", "20", "--json"];

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s ends a backup in good order, with status 130",
  async (signal) => {
    await using running = await startCli(SLOWLY, { env });
    await running.output(/"event":"queue-begun"/);
    running.kill(signal);
    const { status, stdout, stderr, leftovers } = await running.result;
    expect({ status, stdout, leftovers }).toEqual({ status: 130, stdout: "", leftovers: [] });
    const last: unknown = JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "");
    expect(last).toEqual({
      error: {
        code: "INTERRUPTED",
        message: `interrupted by ${signal}`,
        hint: expect.any(String),
        status: 130,
      },
    });
    await untilReady(vhost, "q", MESSAGES);
    expect(await readdir(directory.join("target"))).not.toContain(".spool");
    expect((await runCli(["list", "--json"], { env })).stdout).toContain('"backups":[]');
  },
);

test("a second signal ends it at once", async () => {
  await using running = await startCli(SLOWLY, { env });
  await running.output(/"event":"queue-begun"/);
  running.kill("SIGINT");
  running.kill("SIGTERM");
  expect((await running.result).status).toBe(130);
  await untilReady(vhost, "q", MESSAGES);
});
