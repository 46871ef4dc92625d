import { randomBytes } from "node:crypto";
import { cp, rm } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { drain } from "../lab/drain.ts";
import { expectAll } from "../lab/expect-queue.ts";
import { faultHook } from "../lab/fault-hook.ts";
import { fill, publishAll } from "../lab/publish.ts";
import { declareQueue, readyCount } from "../lab/queues.ts";
import { runAt } from "../lab/run-at.ts";
import { committedAt, expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { filesBelow, tempDirectory } from "../lab/temp.ts";
import { smallDisk } from "../lab/tmpfs.ts";
import { until } from "../lab/until.ts";

const MiB = 1 << 20;

describe.each([
  {
    durability: "sync",
    said: (id: string, target: string) =>
      `backup ${id}, which an earlier run did not get to commit to ${target}, is finished there`,
  },
  { durability: "async", said: (id: string, target: string) => `backup ${id} copied to ${target}` },
])("killed between the two commits, $durability", ({ durability, said }) => {
  test("the next run with these targets finishes it, and so does copy", async () => {
    await using scene = await newScene(newestBroker());
    await using two = await tempDirectory();
    await using copies = await tempDirectory();
    const messages = await filled(scene);
    const both = { MQBACKUP_TARGET: `${scene.target},${two.path}`, MQBACKUP_DURABILITY: durability };
    const manifest = new RegExp(`${path.basename(two.path)}/backups/.*manifest\\.json$`);
    await using hook = await faultHook(manifest, ["link"]);
    await using running = await scene.start(["full"], { env: { ...both, ...hook.env } });
    await hook.held();
    running.kill("SIGKILL");
    await running.result;
    const [id = ""] = await scene.committed();
    expect(id).not.toBe("");
    expect(await committedAt(two.path)).toEqual([]);

    const [one, other] = [copies.join("one"), copies.join("other")];
    await cp(scene.target, one, { recursive: true });
    await cp(two.path, other, { recursive: true });
    expect(await runAt([one, other], "copy", "--quiet")).toMatchObject({ status: 0, stderr: "" });
    expect(await committedAt(other)).toEqual([id]);
    expect(await runAt([other], "verify", "--records", "--quiet")).toMatchObject({ status: 0, stderr: "" });

    await until("everything ready", async () => (await readyCount(scene.vhost, "q")) === messages.length);
    const next = await scene.run(["incremental", "--verbose", "--accept", "in-flight"], { env: both });
    expect(next.status).toBe(0);
    expect(next.stderr).toContain(said(id, two.path));
    const ids = await committedAt(two.path);
    expect(ids).toEqual(await scene.committed());
    expect(ids).toHaveLength(2);
    expect(ids[0]).toBe(id);
    expect(await runAt([two.path], "verify", "--records", "--quiet")).toMatchObject({
      status: 0,
      stderr: "",
    });
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q", messages);
  });
});

describe("a target that gets full", () => {
  test.each([
    ["--min-copies 1", ["--min-copies", "1"], "given-up"],
    ["--durability async", ["--durability", "async"], "not-copied"],
  ])("%s: partial, the other has it, a drain removes", async (_, args, result) => {
    await using scene = await newScene(newestBroker());
    await using disk = await smallDisk(2 * MiB);
    await large(scene);
    const targets = ["--target", scene.target, "--target", disk.path];
    const ended = await scene.run([
      "full",
      "--drain",
      "--json",
      "--volume-size",
      "1MiB",
      ...targets,
      ...args,
    ]);
    expect(ended.status).toBe(3);
    const { targets: told, partial } = JSON.parse(ended.stdout);
    expect(partial).toBe(false);
    expect(told).toMatchObject([
      { location: scene.target, result: "committed", error: null },
      { location: disk.path, result, error: { code: "TARGET_FULL" } },
    ]);
    expect(told[0].bytes).toBeGreaterThan(6 * MiB);
    expect(await committedAt(disk.path)).toEqual([]);
    expect(await scene.committed()).toHaveLength(1);
    expect(await drain(scene.vhost, "q")).toEqual([]);
    const left = (await filesBelow(disk.path)).filter((file) => file !== "mqbackup-repository.json");
    // What was copied so far is gone on with by the next copy.
    expect(left.length > 0).toBe(result === "not-copied");
    await scene.expectNothingLeft();
  });

  test("the first of two, the second is enough: said with and without --quiet; metrics", async () => {
    await using scene = await newScene(newestBroker());
    await using disk = await smallDisk(2 * MiB);
    await using spool = await tempDirectory();
    await large(scene);
    const metrics = spool.join("metrics.prom");
    const args = ["--volume-size", "1MiB", "--min-copies", "1", "--spool-dir", spool.path];
    const targets = ["--target", disk.path, "--target", scene.target];
    const told = await scene.run(["full", "--metrics-file", metrics, ...args, ...targets]);
    expect(told.status).toBe(3);
    expect(told.stderr).toMatch(new RegExp(`^warning: going on without ${disk.path}: .*no space left`, "m"));
    expect(told.stdout).toMatch(new RegExp(`^backup \\S+ committed to ${scene.target}$`, "m"));
    expect(told.stdout).toMatch(new RegExp(`^not at ${disk.path}: .*no space left`, "m"));
    expect(told.stdout).toContain("mqbackup copy");
    const quiet = await scene.run(["full", "--quiet", ...args, ...targets]);
    expect(quiet).toMatchObject({ status: 3, stdout: "" });
    expect(quiet.stderr).toMatch(new RegExp(`^not at ${disk.path}: .*no space left`, "m"));
    expect(await filesBelow(disk.path)).toEqual(["mqbackup-repository.json"]);
    expect(await filesBelow(spool.path)).toEqual(["metrics.prom"]);
    await scene.expectNothingLeft();
  });
});

test("a target that is not there: enough are left, or nothing is begun", async () => {
  await using scene = await newScene(newestBroker());
  await using parent = await tempDirectory();
  const messages = await filled(scene);
  const gone = parent.join("gone");
  const targets = ["--target", gone, "--target", scene.target];
  expectFailure(await scene.run(["full", ...targets]), {
    status: 5,
    error: /gone does not exist/,
    hint: /[Mm]ount|[Mm]ake/,
  });
  expectFailure(await scene.run(["full", ...targets, "--durability", "async"]), {
    status: 5,
    error: /gone does not exist/,
    hint: /[Mm]ount|[Mm]ake/,
  });
  expect(await scene.committed()).toEqual([]);
  const full = await scene.run(["full", "--json", "--min-copies", "1", ...targets]);
  expect(full.status).toBe(3);
  expect(JSON.parse(full.stdout).targets).toMatchObject([
    { location: gone, result: "given-up", bytes: 0, error: { code: "TARGET_MISSING" } },
    { location: scene.target, result: "committed", error: null },
  ]);
  const incremental = ["incremental", "--min-copies", "1", "--require-base", "--quiet", ...targets];
  expect(await scene.run(incremental)).toMatchObject({ status: 3, stdout: "" });
  const compact = await scene.run(["compact", "latest", "--min-copies", "1", "--json", ...targets]);
  expect(compact).toMatchObject({ status: 3 });
  expect(JSON.parse(compact.stdout).targets).toMatchObject([{ result: "given-up" }, { result: "committed" }]);
  expect(await scene.committed()).toHaveLength(3);
  await rm(gone, { recursive: true, force: true });
  expectFailure(await scene.run(["full", "--min-copies", "3", ...targets]), {
    status: 2,
    error: /--min-copies asks for 3 copies, and there are 2 targets/,
    hint: /--target/,
  });
  expectFailure(await scene.run(["full", "--min-copies", "1", "--durability", "async", ...targets]), {
    status: 2,
    error: /contradict/,
    hint: /first target/,
  });
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

async function filled(scene: Scene) {
  await declareQueue(scene.vhost, "q", "classic");
  return fill(scene.vhost, "q", 50);
}

/** More than the small disk holds, in several volumes, of bytes that cannot be compressed. */
async function large(scene: Scene): Promise<void> {
  await declareQueue(scene.vhost, "q", "classic");
  const messages = Array.from({ length: 400 }, () => ({ body: randomBytes(16 * 1024), properties: {} }));
  await publishAll(scene.vhost, "q", messages);
}
