import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { faultHook } from "../lab/fault-hook.ts";
import { startPingService } from "../lab/ping-service.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue } from "../lab/queues.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { tempDirectory } from "../lab/temp.ts";

async function filled(scene: Scene): Promise<void> {
  await declareQueue(scene.vhost, "q", "classic");
  await fill(scene.vhost, "q", 300);
}

/** Values by "name{labels}". Every line of the file has to be one, or say something of one. */
async function metricsIn(file: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const line of (await readFile(file, "utf8")).trimEnd().split("\n")) {
    expect(line).toMatch(
      /^(# HELP mqbackup_\w+ .+|# TYPE mqbackup_\w+ gauge|mqbackup_\w+\{[^}]*\} [\d.e+-]+)$/,
    );
    const [, name, value] = /^(mqbackup_\w+\{[^}]*\}) (\S+)$/.exec(line) ?? [];
    if (name !== undefined) found[name] = Number(value);
  }
  return found;
}

test("a day of backups, as those who watch see it", async () => {
  await using scene = await newScene(newestBroker());
  await using service = await startPingService();
  await using directory = await tempDirectory();
  await filled(scene);
  const file = directory.join("mqbackup.prom");
  const env = { MQBACKUP_METRICS_FILE: file, MQBACKUP_PING_URL: service.url };

  expect(await scene.run(["full", "--quiet"], { env })).toMatchObject({ status: 0, stdout: "", stderr: "" });
  const good = await metricsIn(file);
  expect(good).toMatchObject({
    'mqbackup_last_run_status{command="full"}': 0,
    'mqbackup_backup_messages{command="full"}': 300,
    'mqbackup_backup_lost_messages{command="full"}': 0,
    'mqbackup_backup_loss_ratio{command="full"}': 0,
    'mqbackup_backup_queues{command="full",outcome="complete"}': 1,
  });
  expect(good['mqbackup_backup_stored_bytes{command="full"}']).toBeGreaterThan(1000);
  expect(good['mqbackup_backup_duration_seconds{command="full",phase="total"}']).toBeGreaterThan(0);
  const success = 'mqbackup_last_success_timestamp_seconds{command="full"}';
  const ended = 'mqbackup_last_run_timestamp_seconds{command="full"}';
  expect(good[success]).toBe(good[ended]);
  expect(service.pings.splice(0)).toEqual(["/start", ""]);

  expect(await scene.run(["verify", "--records", "--quiet"], { env })).toMatchObject({
    status: 0,
    stderr: "",
  });
  expect(await metricsIn(file)).toMatchObject({
    ...good,
    'mqbackup_last_run_status{command="verify"}': 0,
    'mqbackup_verify_messages{command="verify"}': 300,
    'mqbackup_verify_findings{command="verify",severity="damage"}': 0,
  });
  service.pings.splice(0);

  const args = ["restore", "--id", "latest", "--append", "--quiet"];
  expect(await scene.run(args, { env })).toMatchObject({ status: 0, stderr: "" });
  expect(await metricsIn(file)).toMatchObject({
    'mqbackup_restore_messages{command="restore"}': 300,
    'mqbackup_restore_queues{command="restore",outcome="restored"}': 1,
  });
  service.pings.splice(0);

  const dead = { ...env, MQBACKUP_URL: scene.url(1) };
  const failed = await scene.run(["full", "--quiet"], { env: dead });
  expect(failed.status).toBe(4);
  const bad = await metricsIn(file);
  expect(bad['mqbackup_last_run_status{command="full"}']).toBe(4);
  expect(bad[success]).toBe(good[success]);
  expect(bad[ended]).toBeGreaterThan(good[ended] ?? 0);
  expect(bad['mqbackup_backup_messages{command="full"}']).toBe(300);
  expect(service.pings.splice(0)).toEqual(["/start", "/4"]);

  // What is not a run tells nothing.
  for (const each of [["list"], ["show", "latest"], ["full", "--dry-run"]]) await scene.run(each, { env });
  expect(service.pings).toEqual([]);
  expect(await metricsIn(file)).toEqual(bad);
  expect(await readdir(directory.path)).toEqual(["mqbackup.prom"]);
  await scene.expectNothingLeft();
});

test("SIGTERM is told", async () => {
  await using scene = await newScene(newestBroker());
  await using service = await startPingService();
  await using directory = await tempDirectory();
  await filled(scene);
  await using hook = await faultHook(/data-00001\.tar\.zst$/);
  const file = directory.join("mqbackup.prom");
  const flags = ["--metrics-file", file, "--ping-url", service.url];
  await using running = await scene.start(["full", ...flags], { env: hook.env });
  await hook.held();
  running.kill("SIGTERM");
  expect(await running.result).toMatchObject({ status: 130 });
  expect(service.pings).toEqual(["/start", "/130"]);
  expect(await metricsIn(file)).toMatchObject({ 'mqbackup_last_run_status{command="full"}': 130 });
  await scene.expectNothingLeft();
});

test("a service that is not there changes nothing, and its token is not shown", async () => {
  await using scene = await newScene(newestBroker());
  const service = await startPingService();
  await service[Symbol.asyncDispose]();
  await filled(scene);
  const env = { MQBACKUP_PING_URL: service.url };
  for (const flags of [["--quiet"], ["--verbose"], ["--json"]]) {
    const result = await scene.run(["full", ...flags], { env });
    expect(result.status, result.stderr).toBe(0);
    expect(result.stderr).toMatch(/the ping to http:\/\/127\.0\.0\.1:\d+\/\*\*\* failed: ECONNREFUSED/);
    expect(result.stdout + result.stderr).not.toContain(service.token);
  }
  const settings = await scene.run(["check", "--print-settings"], { env });
  expect(settings.stdout).toContain("/***");
  expect(settings.stdout).not.toContain(service.token);
});

test("metrics that cannot be written are an error; the backup stands", async () => {
  await using scene = await newScene(newestBroker());
  await using directory = await tempDirectory();
  await filled(scene);
  await mkdir(directory.join("folder"));
  const missing = path.join(directory.path, "no", "m.prom");
  for (const file of [missing, directory.join("folder")]) {
    const result = await scene.run(["full", "--no-progress", "--metrics-file", file]);
    expectFailure(result, {
      status: 3,
      error: /^mqbackup: metrics file .* cannot be written: /,
      hint: /--metrics-file/,
      stdout: /committed/,
    });
  }
  expect(await scene.committed()).toHaveLength(2);
  await writeFile(directory.join("m.prom"), "<html>not metrics</html>\n");
  expect(await scene.run(["verify", "--metrics-file", directory.join("m.prom")])).toMatchObject({
    status: 0,
  });
  expect(await metricsIn(directory.join("m.prom"))).toMatchObject({
    'mqbackup_verify_backups{command="verify"}': 2,
  });
});
