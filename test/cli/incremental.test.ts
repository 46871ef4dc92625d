import { describe, expect, test } from "vitest";
import { openChannel } from "../lab/channel.ts";
import { expectAll } from "../lab/expect-queue.ts";
import { fill, type LabMessage } from "../lab/publish.ts";
import { declareQueue, deleteQueue, QUEUE_TYPES, type QueueType } from "../lab/queues.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker, sharedBrokers } from "../lab/shared-brokers.ts";
import type { LabVhost } from "../lab/vhost.ts";

interface Taken {
  readonly id: string;
  readonly kind: string;
  readonly base: string | null;
  readonly queues: readonly { readonly own: number; readonly kept: number; readonly outcome: string }[];
}

const CASES = sharedBrokers().flatMap((broker) =>
  QUEUE_TYPES.filter((type) => type !== "stream").map((type) => ({ broker, type, version: broker.version })),
);

describe.each(CASES)("$version $type", ({ broker, type }) => {
  test("each backup of a chain restores what the queue held at its moment", async () => {
    await using scene = await newScene(broker);
    await declare(scene, type);
    let held = await fill(scene.vhost, "q", 1000);
    const truth = new Map<string, readonly LabMessage[]>();
    const full = await scene.backup();
    truth.set(full, held);
    const first = await incremental(scene);
    expect(first).toMatchObject({ kind: "incremental", base: full, queues: [{ own: 0, kept: 1000 }] });
    truth.set(first.id, held);
    await takeHead(scene.vhost, 60);
    held = [...held.slice(60), ...(await fill(scene.vhost, "q", 40, { from: 1000 }))];
    const second = await incremental(scene);
    expect(second).toMatchObject({ base: first.id, queues: [{ own: 40, kept: 940 }] });
    truth.set(second.id, held);
    await purge(scene.vhost);
    held = [...(await fill(scene.vhost, "q", 30)), ...(await fill(scene.vhost, "q", 20, { from: 5000 }))];
    const third = await incremental(scene);
    expect(third).toMatchObject({ base: second.id, queues: [{ own: 50, kept: 0 }] });
    truth.set(third.id, held);
    for (const [id, messages] of truth) {
      await deleteQueue(scene.vhost, "q");
      expect(await scene.run(["restore", "--id", id, "--read-back"])).toMatchObject({ status: 0 });
      await expectAll(scene.vhost, "q", messages);
    }
    expect(await scene.run(["verify"])).toMatchObject({ status: 0 });
    await scene.expectNothingLeft();
  });
});

describe.each(sharedBrokers().map((broker) => ({ broker, version: broker.version })))(
  "$version stream",
  ({ broker }) => {
    test("is read on from where the last backup ended; declared again, from its beginning", async () => {
      await using scene = await newScene(broker);
      await declareQueue(scene.vhost, "q", "stream");
      await fill(scene.vhost, "q", 1000);
      const full = await scene.backup();
      expect(await incremental(scene)).toMatchObject({ base: full, queues: [{ own: 0, kept: 1000 }] });
      await fill(scene.vhost, "q", 40, { from: 1000 });
      const grown = await incremental(scene);
      expect(grown).toMatchObject({ queues: [{ own: 40, kept: 1000, outcome: "complete" }] });
      expect(await numbers(scene, grown.id)).toEqual(Array.from({ length: 1040 }, (_, n) => n));
      await deleteQueue(scene.vhost, "q");
      await declareQueue(scene.vhost, "q", "stream");
      await fill(scene.vhost, "q", 1100, { from: 2000 });
      const again = await incremental(scene);
      expect(again).toMatchObject({ queues: [{ own: 1100, kept: 0 }] });
      expect(await numbers(scene, again.id)).toEqual(Array.from({ length: 1100 }, (_, n) => 2000 + n));
      expect(await numbers(scene, grown.id)).toHaveLength(1040);
      expect(await scene.run(["verify"])).toMatchObject({ status: 0 });
    });
  },
);

describe("what an incremental needs", () => {
  test("without a backup to build on it is full and says so; --require-base refuses", async () => {
    await using scene = await newScene(newestBroker());
    await declareQueue(scene.vhost, "q", "classic");
    await fill(scene.vhost, "q", 10);
    expectFailure(await scene.run(["incremental", "--require-base"]), {
      status: 10,
      error: /there is no backup of set .* to build on/,
      hint: /mqbackup full/,
    });
    const { status, stdout } = await scene.run(["incremental"]);
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("this one is full") as string,
    });
    expect(await scene.committed()).toEqual([expect.stringMatching(/^\d{8}-\d{6}F$/)]);
  });

  test("a base that is not there, or of another set, is refused", async () => {
    await using scene = await newScene(newestBroker());
    await declareQueue(scene.vhost, "q", "classic");
    await fill(scene.vhost, "q", 10);
    const other = await scene.backup("--set", "other");
    expectFailure(await scene.run(["incremental", "--base", "20200101-000000F"]), {
      status: 10,
      error: /20200101-000000F/,
      hint: /mqbackup list/,
    });
    expectFailure(await scene.run(["incremental", "--base", other]), {
      status: 2,
      error: /is of the set other/,
      hint: /--set/,
    });
    expectFailure(await scene.run(["incremental", "--drain"]), {
      status: 2,
      error: /unknown flag --drain/,
      hint: /flag of full, check/,
    });
    const { stdout } = await scene.run(["incremental", "--set", "other", "--dry-run"]);
    expect(stdout).toContain(`builds on backup ${other}`);
    expect(await scene.committed()).toEqual([other]);
  });
});

async function declare(scene: Scene, type: QueueType): Promise<void> {
  // 4.0 counts every reading against the default limit.
  const args = type === "quorum" && scene.broker.version === "4.0" ? { "x-delivery-limit": -1 } : {};
  await declareQueue(scene.vhost, "q", type, args);
}

async function incremental(scene: Scene): Promise<Taken> {
  const { status, stdout, stderr } = await scene.run(["incremental", "--json", "--quiet"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const [taken] = (JSON.parse(stdout) as { backups: Taken[] }).backups;
  if (taken === undefined) throw new Error("no backup");
  return taken;
}

async function takeHead(vhost: LabVhost, count: number): Promise<void> {
  await using lane = await openChannel(vhost.url);
  for (let at = 0; at < count; at += 1) await lane.channel.get("q", { noAck: true });
}

async function purge(vhost: LabVhost): Promise<void> {
  await using lane = await openChannel(vhost.url);
  await lane.channel.purgeQueue("q");
}

async function numbers(scene: Scene, id: string): Promise<number[]> {
  const { status, stdout } = await scene.run(["cat", id, "--body", "raw"]);
  expect(status).toBe(0);
  return [...stdout.matchAll(/\{"n":(\d+)/g)].map(([, number]) => Number(number));
}
