import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";

import { runCli } from "../lab/cli.ts";
import { tempDirectory } from "../lab/temp.ts";

/** Nothing here needs a broker. */

test("help and version go to standard output, with status 0", async () => {
  const help = await runCli(["--help"]);
  expect(help).toMatchObject({ status: 0, stderr: "" });
  expect(help.stdout).toContain("Exit statuses:");
  const ofCommand = await runCli(["full", "--help"]);
  expect(ofCommand).toMatchObject({ status: 0, stderr: "" });
  expect(ofCommand.stdout).toContain("--keep-deliveries <n>");
  const file: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const stdout = `${(file as { version: string }).version}\n`;
  expect(await runCli(["--version"])).toMatchObject({ status: 0, stdout, stderr: "" });
});

test("wrong usage is one JSON object for machines, wherever --json stands", async () => {
  for (const argv of [
    ["list", "--json", "--targt", "x"],
    ["list", "--json"],
  ]) {
    const { status, stdout, stderr } = await runCli(argv);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(JSON.parse(stderr)).toEqual({
      error: { code: expect.any(String), message: expect.any(String), hint: expect.any(String), status: 2 },
    });
  }
});

describe("check --print-settings", () => {
  test("tells each value and where it came from: file, environment, flags, in rising order", async () => {
    await using directory = await tempDirectory();
    await writeFile(directory.join("mqbackup.yaml"), "parallel: 2\nholdMemory: 3%\nqueue: [a, b.*]\n");
    const { status, stdout, stderr } = await runCli(
      ["check", "--print-settings", "--json", "--hold-memory", "1GiB"],
      {
        cwd: directory.path,
        env: {
          MQBACKUP_PARALLEL: "5",
          MQBACKUP_HOLD_MEMORY: "2%",
          MQBACKUP_URL: "amqp://joe:s3cr3t@h/v",
          MQBACKUP_PASSWORD: "0ther",
        },
      },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({
      parallel: { value: "5", origin: "MQBACKUP_PARALLEL" },
      holdMemory: { value: "1GiB", origin: "--hold-memory" },
      queue: { value: ["a", "b.*"], origin: "queue in ./mqbackup.yaml" },
      url: { value: ["amqp://joe:***@h/v"], origin: "MQBACKUP_URL" },
      password: { value: "***", origin: "MQBACKUP_PASSWORD" },
      rate: { value: null, origin: null },
    });
    expect(stdout).not.toMatch(/s3cr3t|0ther/);
  });

  test("is a table for people, without secrets", async () => {
    const env = { MQBACKUP_URL: "amqp://joe:s3cr3t@h/v" };
    const { status, stdout } = await runCli(["check", "--print-settings"], { env });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^url +amqp:\/\/joe:\*\*\*@h\/v +MQBACKUP_URL$/m);
    expect(stdout).toMatch(/^compressionLevel +1 +default$/m);
  });
});

describe("a target", () => {
  test.each(["list", "verify"])("that does not exist ends %s with status 5", async (command) => {
    expect(await runCli([command, "--target", "/nowhere/backups"])).toMatchObject({
      status: 5,
      stdout: "",
      stderr: expect.stringMatching(/^mqbackup: target \/nowhere\/backups does not exist\nhint: \S/),
    });
  });

  test.each([
    ["list"],
    ["show", "latest"],
    ["cat", "latest"],
    ["verify"],
    ["restore", "--id", "latest", "--management-url", "none"],
  ])("without a repository ends %s with status 10", async (...argv) => {
    await using directory = await tempDirectory();
    await mkdir(directory.join("empty"));
    const result = await runCli([...argv, "--target", directory.join("empty")]);
    expect(result).toMatchObject({
      status: 10,
      stdout: "",
      stderr: expect.stringMatching(/^mqbackup: .*\nhint: \S/),
    });
  });
});
