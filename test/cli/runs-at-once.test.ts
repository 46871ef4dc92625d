import { expect, test } from "vitest";
import { expectAll } from "../lab/expect-queue.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue, untilReady } from "../lab/queues.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { filesBelow } from "../lab/temp.ts";
import { newestBroker } from "../lab/shared-brokers.ts";

/** Reads for ten seconds: long enough for another run beside it. */
const SLOWLY = ["--rate", "50", "--json"];

const HELD = /^mqbackup: set ".+" at .+ is held by mqbackup full on .+ \(process \d+\), at work since /;

test("two backups at once of one set: the second ends at once and touches no queue, whatever it wants", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene, "q", 500);
  const untouched = await filled(scene, "untouched", 50);
  await using first = await scene.start(["full", "--queue", "q", ...SLOWLY]);
  await first.output(/"queue-progress"/);
  const refused = { status: 11, error: HELD, hint: /Wait for that run\. .* --break-lease / };
  expectFailure(await scene.run(["full"]), refused);
  expectFailure(await scene.run(["full", "--queue", "untouched"]), refused);
  expectFailure(await scene.run(["full", "--drain"]), refused);
  expect(await scene.run(["full", "--dry-run"])).toMatchObject({ status: 0 });
  expect(await scene.run(["verify"])).toMatchObject({ status: 0 });
  first.kill("SIGTERM");
  expect(await first.result).toMatchObject({ status: 130 });
  expect(await scene.run(["full"])).toMatchObject({ status: 0 });
  expect(await scene.committed()).toHaveLength(1);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
  await expectAll(scene.vhost, "untouched", untouched);
});

test("two backups at once of one queue in different sets: the second gives way at the queue", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene, "q", 500);
  await using first = await scene.start(["full", ...SLOWLY]);
  await first.output(/"queue-progress"/);
  expectFailure(await scene.run(["full", "--set", "other"]), {
    status: 11,
    error: /queue q in .* is being read by another run of mqbackup/,
    hint: /Wait for that run/,
  });
  first.kill("SIGTERM");
  expect(await first.result).toMatchObject({ status: 130 });
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

test("two at once of several queues: the second takes what is free, and names what is not", async () => {
  await using scene = await newScene(newestBroker());
  const busy = await filled(scene, "busy", 500);
  const free = await filled(scene, "free", 50);
  await using first = await scene.start(["full", "--queue", "busy", ...SLOWLY]);
  await first.output(/"queue-progress"/);
  const second = await scene.run(["full", "--set", "other"]);
  expect(second).toMatchObject({ status: 3 });
  expect(second.stdout).toMatch(/^skipped busy: .*another run of mqbackup\n {2}hint: Wait/m);
  expect(second.stdout).toMatch(/^free +classic +complete +50 /m);
  expect(await first.result).toMatchObject({ status: 0 });
  expect(await scene.committed()).toHaveLength(2);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "busy", busy);
  await expectAll(scene.vhost, "free", free);
});

test("four of different sets that begin in the same second get an id each", async () => {
  await using scene = await newScene(newestBroker());
  const queues = ["a", "b", "c", "d"];
  const filledQueues = await Promise.all(queues.map((queue) => filled(scene, queue, 50)));
  const runs = await Promise.all(
    queues.map((queue) => scene.run(["full", "--queue", queue, "--set", queue])),
  );
  expect(runs.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
  expect(new Set(await scene.committed()).size).toBe(4);
  expect(await scene.run(["verify", "--records"])).toMatchObject({ status: 0 });
  await scene.expectNothingLeft();
  for (const [i, queue] of queues.entries()) await expectAll(scene.vhost, queue, filledQueues[i] ?? []);
});

test("four of one set that begin at once: at least one is done, the others are refused, no two overlap", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene, "q", 50);
  const runs = await Promise.all(Array.from({ length: 4 }, async () => scene.run(["full"])));
  const done = runs.filter(({ status }) => status === 0).length;
  expect(done).toBeGreaterThan(0);
  for (const run of runs.filter(({ status }) => status !== 0)) {
    expectFailure(run, { status: 11, error: HELD, hint: /--break-lease/ });
  }
  expect(await scene.committed()).toHaveLength(done);
  expect(await scene.run(["verify"])).toMatchObject({ status: 0 });
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

test("after kill -9 the next run on this machine goes on at once, and leaves nothing of the dead one's lease", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene, "q", 500);
  await using first = await scene.start(["full", ...SLOWLY]);
  await first.output(/"queue-progress"/);
  first.kill("SIGKILL");
  await first.result;
  expect(await leasesAt(scene.target)).toHaveLength(1);
  await untilReady(scene.vhost, "q", 500);
  expect(await scene.run(["full"])).toMatchObject({ status: 0, stderr: expect.not.stringMatching(/lease/) });
  expect(await leasesAt(scene.target)).toEqual([]);
  expect(await scene.committed()).toHaveLength(1);
  await expectAll(scene.vhost, "q", messages);
});

test("--break-lease at a run that is alive: it is told, commits nothing, and gives its queue back", async () => {
  await using scene = await newScene(newestBroker());
  const messages = await filled(scene, "q", 500);
  const other = await filled(scene, "other", 50);
  await using first = await scene.start(["full", "--queue", "q", ...SLOWLY]);
  await first.output(/"queue-progress"/);
  const second = await scene.run(["full", "--queue", "other", "--break-lease"]);
  expect(second).toMatchObject({ status: 0 });
  expect(second.stderr).toMatch(
    /^warning: set ".+" at .+ was held by mqbackup full on .+ \(process \d+\).*: that lease is taken away$/m,
  );
  const broken = await first.result;
  expect(broken).toMatchObject({ status: 11, stdout: "" });
  expect(broken.stderr).toMatch(
    /"code":"LEASE_HELD","message":"the lease on set .* is lost: it was taken away"/,
  );
  expect(await scene.committed()).toHaveLength(1);
  await untilReady(scene.vhost, "q", 500);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
  await expectAll(scene.vhost, "other", other);
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

async function leasesAt(target: string): Promise<readonly string[]> {
  return (await filesBelow(target)).filter((file) => file.startsWith("leases/"));
}
