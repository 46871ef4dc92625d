import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { expectAll } from "../lab/expect-queue.ts";
import { fill, publishAll } from "../lab/publish.ts";
import { declareQueue } from "../lab/queues.ts";
import { committedAt, expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { filesBelow, tempDirectory, type TempDirectory } from "../lab/temp.ts";
import { remount, smallDisk } from "../lab/tmpfs.ts";

const MiB = 1 << 20;

test("a target that is not there is named, and not made", async () => {
  await using scene = await newScene(newestBroker());
  await using parent = await tempDirectory();
  const messages = await filled(scene);
  for (const command of ["full", "list", "verify"]) {
    const result = await scene.run([command, "--target", parent.join("nowhere", "at", "all")]);
    expectFailure(result, {
      status: 5,
      error: /\/nowhere\/at\/all.* does not exist/,
      hint: /[Mm]ount|[Mm]ake/,
    });
  }
  expect(await filesBelow(parent.path)).toEqual([]);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

test("a target that is a file", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene);
  await using parent = await tempDirectory();
  await writeFile(parent.join("file"), "mine");
  const result = await scene.run(["full", "--target", parent.join("file")]);
  expectFailure(result, { status: 5, error: /\/file/, hint: /directory/ });
  expect(await filesBelow(parent.path)).toEqual(["file"]);
  await expectAll(scene.vhost, "q", messages);
});

test("a read-only target: nothing is read, and what is there can be used", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene);
  await using disk = await smallDisk(8 * MiB);
  const target = ["--target", disk.path];
  expect(await scene.run(["full", ...target])).toMatchObject({ status: 0 });
  const before = await filesBelow(disk.path);
  await remount(disk, "ro");
  expectFailure(await scene.run(["full", ...target]), {
    status: 5,
    error: new RegExp(`${disk.path}.*read-only file system`),
    hint: /mounted read-only/,
  });
  expect(await filesBelow(disk.path)).toEqual(before);
  for (const args of [["list"], ["verify"], ["show", "latest"], ["restore", "--id", "latest", "--append"]]) {
    expect(await scene.run([...args, ...target]), args[0]).toMatchObject({ status: 0 });
  }
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", [...messages, ...messages]);
});

test("a target that gets full while the spool grows", async () => {
  await using scene = await newScene(newestBroker());
  await using disk = await smallDisk(2 * MiB);
  await expectFull(scene, disk, ["--target", disk.path]);
});

test("a target that gets full when a volume is put there", async () => {
  await using scene = await newScene(newestBroker());
  await using disk = await smallDisk(2 * MiB);
  await using spool = await tempDirectory();
  await expectFull(scene, disk, ["--target", disk.path, "--spool-dir", spool.path]);
  expect(await filesBelow(spool.path)).toEqual([]);
});

test("the second of two targets gets full: neither holds a backup", async () => {
  await using scene = await newScene(newestBroker());
  await using disk = await smallDisk(2 * MiB);
  await expectFull(scene, disk, ["--target", scene.target, "--target", disk.path]);
  expect(await scene.committed()).toEqual([]);
});

test("a full disk makes no difference to a drain: all stays on the queue", async () => {
  await using scene = await newScene(newestBroker());
  await using disk = await smallDisk(2 * MiB);
  await expectFull(scene, disk, ["--target", disk.path, "--drain"]);
});

test("a backup that was there stays whole when the disk gets full", async () => {
  await using scene = await newScene(newestBroker());
  await using disk = await smallDisk(2 * MiB);
  await declareQueue(scene.vhost, "small", "classic");
  await fill(scene.vhost, "small", 20);
  const target = ["--target", disk.path];
  expect(await scene.run(["full", "--queue", "small", ...target])).toMatchObject({ status: 0 });
  const [id] = await committedAt(disk.path);
  await expectFull(scene, disk, ["--queue", "q", ...target], [id ?? ""]);
  expect(await scene.run(["verify", ...target])).toMatchObject({ status: 0 });
});

test("no repository, no backup, an unknown id, an ambiguous one", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene);
  const commands = (id: string) => [
    ["show", id],
    ["cat", id],
    ["verify", id],
    ["restore", "--id", id, "--append"],
  ];
  await mkdir(`${scene.target}/else`);
  for (const args of [["list"], ["verify"], ...commands("latest")]) {
    const result = await scene.run([...args, "--target", `${scene.target}/else`]);
    expectFailure(result, { status: 10, error: /no repository at .*\/else/, hint: /Check the target/ });
  }
  const ids = [await scene.backup(), await scene.backup()];
  for (const args of commands("20200101-000000F")) {
    expectFailure(await scene.run(args), {
      status: 10,
      error: /no backup 20200101-000000F/,
      hint: /mqbackup list/,
    });
  }
  for (const args of commands("20")) {
    const result = await scene.run(args);
    expectFailure(result, { status: 10, error: /2 backups begin with 20: /, hint: /more of the id/ });
    for (const id of ids) expect(result.stderr).toContain(id);
  }
  for (const args of commands("../../etc")) {
    expectFailure(await scene.run(args), { status: 10, error: /no backup \.\.\/\.\.\/etc/, hint: /./ });
  }
  expect(await scene.committed()).toEqual(ids);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

/** More than the disk holds, in several volumes, of bytes that cannot be compressed. */
async function expectFull(
  scene: Scene,
  disk: TempDirectory,
  args: readonly string[],
  committed: readonly string[] = [],
): Promise<void> {
  await declareQueue(scene.vhost, "q", "classic");
  const messages = Array.from({ length: 400 }, () => ({ body: randomBytes(16 * 1024), properties: {} }));
  await publishAll(scene.vhost, "q", messages);
  const before = await filesBelow(disk.path);
  const result = await scene.run(["full", "--volume-size", "1MiB", ...args]);
  expectFailure(result, {
    status: 5,
    error: new RegExp(`${disk.path}.*no space left on device`),
    hint: /[Ff]ree some space/,
    before: /^q: 400 messages/,
  });
  expect(await committedAt(disk.path)).toEqual(committed);
  const after = await filesBelow(disk.path);
  expect(after.filter((file) => file !== "mqbackup-repository.json" && !before.includes(file))).toEqual([]);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
}

async function filled(scene: Scene) {
  await declareQueue(scene.vhost, "q", "classic");
  return fill(scene.vhost, "q", 50);
}
