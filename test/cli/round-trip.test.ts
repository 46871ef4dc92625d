import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runCli } from "../lab/cli.ts";
import { firstDifference } from "../lab/compare.ts";
import { drain } from "../lab/drain.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue, readyCount } from "../lab/queues.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { tempDirectory, type TempDirectory } from "../lab/temp.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";

let vhost: LabVhost;
let directory: TempDirectory;
let env: Record<string, string>;

const jsonLines = (text: string): readonly Record<string, unknown>[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeAll(async () => {
  vhost = await freshVhost(newestBroker(), "cli");
  directory = await tempDirectory();
  await mkdir(directory.join("target"));
  env = {
    MQBACKUP_URL: vhost.url,
    MQBACKUP_MANAGEMENT_URL: vhost.broker.managementUrl,
    MQBACKUP_TARGET: directory.join("target"),
  };
  await declareQueue(vhost, "orders.eu", "classic");
  await declareQueue(vhost, "orders.us", "quorum");
  await declareQueue(vhost, "events", "stream");
  await declareQueue(vhost, "empty\u001B[31m", "classic");
  for (const queue of ["orders.eu", "orders.us", "events"]) await fill(vhost, queue, 300);
});
afterAll(async () => {
  await vhost[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

describe("a broker's queues", () => {
  test("are checked without touching them", async () => {
    const { status, stdout, stderr } = await runCli(["check"], { env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^QUEUE +TYPE +READY +BODIES +CONSUMERS +VERDICT +HOW$/m);
    expect(stdout).toMatch(/^orders\.us +quorum .* readable /m);
    expect(stdout).toContain("4 of 4 queues can be read safely");
    expect(stdout).not.toContain("\u001B");
    const checked = JSON.parse(
      (await runCli(["check", "--queue", "orders.*", "--json"], { env })).stdout,
    ) as object;
    expect(checked).toMatchObject({
      status: 0,
      management: true,
      queues: [
        { name: "orders.eu", type: "classic", verdict: "readable", danger: null },
        { name: "orders.us", type: "quorum", verdict: "readable", danger: null },
      ],
    });
    expect(await readyCount(vhost, "orders.eu")).toBe(300);
  });

  test("are planned by a dry run that keeps nothing", async () => {
    const { status, stdout } = await runCli(["full", "--dry-run"], { env });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^events +stream /m);
    expect(await readdir(directory.join("target"))).toEqual([]);
  });

  test("are backed up, listed, shown, verified, printed and restored", async () => {
    await using other = await freshVhost(vhost.broker, "cli");
    const backup = await runCli(["full"], { env });
    expect(backup).toMatchObject({ status: 0, leftovers: [] });
    expect(backup.stdout).toMatch(/^backup \d{8}-\d{6}F committed to \//);
    expect(backup.stdout).toMatch(/^orders\.eu +classic +complete +300 /m);
    expect(backup.stdout).toMatch(/^900 messages, .* none lost$/m);
    expect(backup.stderr.split("\n")).toContainEqual(expect.stringMatching(/^orders\.us: 300 messages, /));
    expect(backup.stdout + backup.stderr).not.toContain("\u001B");
    expect(backup.stdout).toContain(String.raw`empty\u{1b}[31m`);
    const id = /backup (\S+) /.exec(backup.stdout)?.[1] ?? "";

    const list = await runCli(["list"], { env });
    expect(list).toMatchObject({ status: 0, stderr: "" });
    expect(list.stdout).toMatch(new RegExp(`^${id}  .* 4 +900 `, "m"));
    const listed = JSON.parse((await runCli(["list", "--json"], { env })).stdout) as object;
    expect(listed).toMatchObject({ damaged: [], backups: [{ id, messages: 900, queues: { complete: 4 } }] });

    const show = await runCli(["show", "latest"], { env });
    expect(show.stdout).toContain(`backup ${id}\n`);
    const shown = JSON.parse((await runCli(["show", id.slice(0, 13), "--json"], { env })).stdout) as object;
    expect(shown).toMatchObject({
      format: 1,
      id,
      broker: { management: true },
      measures: { lostMessages: 0 },
    });

    const diff = JSON.parse((await runCli(["diff", id, "latest", "--json"], { env })).stdout) as object;
    expect(diff).toMatchObject({ first: id, second: id, kept: 900, added: 0, gone: 0, unread: 0 });
    expect((await runCli(["diff", id, "latest"], { env })).stdout).toContain(
      "\n900 messages kept, 0 added, 0 gone\n",
    );

    expect(await runCli(["verify", "--records"], { env })).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("1 backup verified, no damage found"),
    });

    const cat = await runCli(["cat", "latest", "--queue", "orders.us", "--skip", "298"], { env });
    expect({ status: cat.status, stderr: cat.stderr }).toEqual({ status: 0, stderr: "" });
    expect(jsonLines(cat.stdout)).toMatchObject([
      { vhost: vhost.name, queue: "orders.us", sequence: 298, properties: { messageId: "lab-298" } },
      { sequence: 299, properties: { messageId: "lab-299" } },
    ]);

    const dryRun = await runCli(["restore", "--id", "latest", "--map", "*=again.*", "--dry-run"], { env });
    expect(dryRun).toMatchObject({ status: 0, stdout: expect.stringContaining("to be declared") });
    const again = ["restore", "--id", "latest", "--queue", "orders.*", "--map", "*=again.*", "--read-back"];
    const restore = await runCli(again, { env });
    expect(restore).toMatchObject({ status: 0, leftovers: [] });
    expect(restore.stdout).toMatch(/^again\.orders\.us in \S+ +restored +300 +300 /m);
    expect(restore.stdout).toContain("600 messages published and confirmed");
    for (const queue of ["orders.eu", "orders.us"]) {
      expect(
        firstDifference(await drain(vhost, `again.${queue}`), await drain(vhost, queue)),
      ).toBeUndefined();
    }

    const elsewhere = ["restore", "--id", "latest", "--queue", "orders.eu", "--to-vhost", other.name];
    expect((await runCli(elsewhere, { env })).status).toBe(0);
    expect(await readyCount(other, "orders.eu")).toBe(300);
    expect(await runCli(elsewhere, { env })).toMatchObject({
      status: 30,
      stdout: "",
      stderr: expect.stringMatching(
        /^mqbackup: queue orders\.eu in virtual host \S+ holds 300 messages\nhint: .*--append/,
      ),
    });
  });

  test("tell machines all in JSON: one result, and a line for each event", async () => {
    await declareQueue(vhost, "for-machines", "classic");
    await fill(vhost, "for-machines", 50);
    const { status, stdout, stderr } = await runCli(["full", "--queue", "for-machines", "--json"], { env });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      status: 0,
      partial: false,
      targets: [{ location: directory.join("target"), result: "committed", error: null }],
      backups: [{ kind: "full", queues: [{ name: "for-machines", outcome: "complete", messages: 50 }] }],
      warnings: [],
    });
    const events = jsonLines(stderr).map(({ event }) => event);
    expect(events).toEqual(
      expect.arrayContaining(["surveyed", "begun", "queue-begun", "queue-finished", "committed"]),
    );
  });

  test("give cron nothing to mail when all is well, and only what is wrong when not", async () => {
    expect(await runCli(["full", "--queue", "for-machines", "--quiet"], { env })).toMatchObject({
      status: 0,
      stdout: "",
      stderr: "",
    });
    await declareQueue(vhost, "delayed", "quorum", {
      "x-delayed-retry-type": "all",
      "x-delayed-retry-min": 1000,
    });
    const partial = await runCli(["full", "--queue", "{for-machines,delayed}", "--quiet"], { env });
    expect(partial).toMatchObject({ status: 3, stdout: "" });
    expect(partial.stderr).toMatch(
      /^mqbackup: backup \S+ is partial: 1 queue of 2 skipped or with gaps\nskipped delayed: /,
    );
    const unsafe = await runCli(["full", "--queue", "delayed", "--quiet"], { env });
    expect(unsafe).toMatchObject({
      status: 30,
      stdout: "",
      stderr: expect.stringMatching(/^mqbackup: .*\nhint: /),
    });
  });
});

describe("a reader that goes away", () => {
  test("is no failure", async () => {
    const { stdout, status } = await shell(
      `set -o pipefail; "$NODE" "$BIN" cat latest --queue for-machines | head -n 1`,
    );
    expect(status).toBe(0);
    expect(jsonLines(stdout)).toHaveLength(1);
  });
});

async function shell(script: string): Promise<{ readonly stdout: string; readonly status: number | null }> {
  const bin = new URL("../../bin/mqbackup.js", import.meta.url).pathname;
  const child = spawn("bash", ["-c", script], {
    env: { PATH: process.env["PATH"], NODE: process.execPath, BIN: bin, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  await once(child, "close");
  return { stdout, status: child.exitCode };
}
