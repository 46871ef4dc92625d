import { expect, test } from "vitest";
import { expectAll } from "../lab/expect-queue.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue, untilReady } from "../lab/queues.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";

/** Reads for ten seconds: long enough for another run beside it. */
const SLOWLY = ["--rate", "50", "--json"];

test("two backups at once of one queue: the second gives way", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene, "q", 500);
  await using first = await scene.start(["full", ...SLOWLY]);
  await first.output(/"queue-progress"/);
  expectFailure(await scene.run(["full"]), {
    status: 11,
    error: /queue q in .* is being read by another run of mqbackup/,
    hint: /Wait for that run/,
  });
  expectFailure(await scene.run(["full", "--drain"]), { status: 11, error: /queue q in /, hint: /Wait/ });
  first.kill("SIGTERM");
  expect(await first.result).toMatchObject({ status: 130 });
  expect(await scene.run(["full"])).toMatchObject({ status: 0 });
  expect(await scene.committed()).toHaveLength(1);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

test("two at once of several queues: the second takes what is free, and names what is not", async () => {
  await using scene = await newScene(newestBroker());
  const busy = await filled(scene, "busy", 500);
  const free = await filled(scene, "free", 50);
  await using first = await scene.start(["full", "--queue", "busy", ...SLOWLY]);
  await first.output(/"queue-progress"/);
  const second = await scene.run(["full"]);
  expect(second).toMatchObject({ status: 3 });
  expect(second.stdout).toMatch(/^skipped busy: .*another run of mqbackup\n {2}hint: Wait/m);
  expect(second.stdout).toMatch(/^free +classic +complete +50 /m);
  expect(await first.result).toMatchObject({ status: 0 });
  expect(await scene.committed()).toHaveLength(2);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "busy", busy);
  await expectAll(scene.vhost, "free", free);
});

test("two that begin in the same second get an id each", async () => {
  await using scene = await newScene(newestBroker());
  const queues = ["a", "b", "c", "d"];
  const filledQueues = await Promise.all(queues.map((queue) => filled(scene, queue, 50)));
  const runs = await Promise.all(queues.map((queue) => scene.run(["full", "--queue", queue])));
  expect(runs.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
  expect(new Set(await scene.committed()).size).toBe(4);
  expect(await scene.run(["verify", "--records"])).toMatchObject({ status: 0 });
  await scene.expectNothingLeft();
  for (const [i, queue] of queues.entries()) await expectAll(scene.vhost, queue, filledQueues[i] ?? []);
});

test("a backup of a queue that is being restored, and the other way round", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene, "q", 500);
  const id = await scene.backup();
  await using reading = await scene.start(["full", ...SLOWLY]);
  await reading.output(/"queue-progress"/);
  const restore = await scene.run(["restore", "--id", id, "--append"]);
  expect(restore).toMatchObject({ status: 11 });
  expect(restore.stderr).toMatch(/queue q in .*another run of mqbackup\nhint: Wait/);
  expect(await reading.result).toMatchObject({ status: 0 });
  await untilReady(scene.vhost, "q", 500);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

async function filled(scene: Scene, queue: string, count: number) {
  await declareQueue(scene.vhost, queue, "classic");
  return fill(scene.vhost, queue, count);
}
