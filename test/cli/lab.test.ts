import { expect, test } from "vitest";
import { runCli, startCli } from "../lab/cli.ts";

test("the lab runs the built program and hands back all it says", async () => {
  const result = await runCli(["--help"]);
  expect(result).toMatchObject({ status: 0, signal: null, stderr: "", leftovers: [] });
  expect(result.stdout).toMatch(/usage: mqbackup/i);
});

test("a program that is started can be killed", async () => {
  await using running = await startCli(["--help"]);
  running.kill("SIGKILL");
  expect(await running.result).toMatchObject({ status: null, signal: "SIGKILL" });
});
