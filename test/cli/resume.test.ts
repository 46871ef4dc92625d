import { randomBytes } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { faultHook } from "../lab/fault-hook.ts";
import { expectAll } from "../lab/expect-queue.ts";
import { labMessage, publishAll, type LabMessage } from "../lab/publish.ts";
import { declareQueue, deleteQueue, untilReady } from "../lab/queues.ts";
import { newScene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { filesBelow } from "../lab/temp.ts";

/** Five segments of 4 MiB that do not compress. */
const MESSAGES = 300;

function message(number: number): LabMessage {
  return { ...labMessage(number), body: randomBytes(64 * 1024) };
}

test("killed while volumes were shipped: the next full sends them not again, and what it makes restores", async () => {
  await using scene = await newScene(newestBroker());
  await declareQueue(scene.vhost, "q", "quorum");
  const messages = Array.from({ length: MESSAGES }, (_, number) => message(number));
  await publishAll(scene.vhost, "q", messages);
  const state = path.join(scene.target, ".state");
  const full = ["full", "--volume-size", "1MiB", "--state-dir", state];
  {
    await using hook = await faultHook(/data-00004\.tar\.zst$/);
    await using running = await scene.start([...full, "--json"], { env: hook.env });
    await running.output(/data-00002[^]*data-00003/);
    await hook.held();
    running.kill("SIGKILL");
    await running.result;
  }
  await untilReady(scene.vhost, "q", MESSAGES);
  expect(await scene.committed()).toEqual([]);
  const [id = ""] = await readdir(path.join(scene.target, "backups"));
  const volume = (number: number): string =>
    path.join(scene.target, "backups", id, `data-0000${number}.tar.zst`);
  const before = [await stat(volume(2)), await stat(volume(3))];
  for (const file of await filesBelow(state))
    expect((await stat(path.join(state, file))).mode & 0o777).toBe(0o600);

  const { status, stdout, stderr } = await scene.run(full);
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: expect.stringMatching(
      /^goes on with backup \S+, of which 3 volumes, 7\.\d\d MiB, are there$/m,
    ) as string,
  });
  expect(stdout).toMatch(/^of an interrupted full it took over 2 volumes, 7\.\d\d MiB, with 2 segments$/m);
  expect(await scene.committed()).toEqual([id]);
  // That of the definitions, which are read anew.
  await expect(stat(volume(1))).rejects.toThrow("ENOENT");
  const after = [await stat(volume(2)), await stat(volume(3))];
  expect(after.map(({ ino, mtimeMs }) => [ino, mtimeMs])).toEqual(
    before.map(({ ino, mtimeMs }) => [ino, mtimeMs]),
  );
  expect(await filesBelow(state)).toEqual([]);
  expect(await scene.run(["verify", "--records"])).toMatchObject({ status: 0 });
  await scene.expectNothingLeft();

  await deleteQueue(scene.vhost, "q");
  expect(await scene.run(["restore", "--id", id, "--read-back"])).toMatchObject({ status: 0 });
  await expectAll(scene.vhost, "q", messages);
});
