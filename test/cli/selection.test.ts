import { describe, expect, test } from "vitest";
import { expectAll } from "../lab/expect-queue.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue, deleteQueue, readyCount } from "../lab/queues.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";

const MESSAGES = 300;
const WHERE = ["--where", "headers.even && json.n > 100"];
const RANGE = ["--from-seq", "50", "--to-seq", "149"];

describe("a selection of messages", () => {
  test("is printed, planned, restored and read back", async () => {
    await using scene = await newScene(newestBroker());
    const { id, messages } = await backedUp(scene);
    const wanted = messages.filter((_, n) => n % 2 === 0 && n > 100 && n <= 149);
    const printed = await scene.run(["cat", id, ...WHERE, ...RANGE]);
    expect(printed).toMatchObject({ status: 0, stderr: "" });
    const lines = printed.stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject(
      wanted.map(({ body, properties }) => ({
        body: body.toString(),
        properties: { messageId: properties.messageId },
      })),
    );

    await deleteQueue(scene.vhost, "q");
    const restore = ["restore", "--id", id, ...WHERE, ...RANGE];
    const plan = await scene.run([...restore, "--dry-run"]);
    expect(plan).toMatchObject({ status: 0 });
    expect(plan.stdout).toMatch(/^q in \S+ +q in \S+ +24 +- +to be declared$/m);
    expect(plan.stdout).toMatch(/24 of 300 messages are selected/);
    await expect(readyCount(scene.vhost, "q")).rejects.toThrow(/404/);
    const restored = await scene.run([...restore, "--read-back"]);
    expect(restored).toMatchObject({ status: 0 });
    expect(restored.stdout).toMatch(/read back q in \S+: 24 messages, all as backed up/);
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q", wanted);
  });

  test("that nothing is in, or that cannot be told, changes nothing", async () => {
    await using scene = await newScene(newestBroker());
    const { id } = await backedUp(scene);
    await deleteQueue(scene.vhost, "q");
    expectFailure(await scene.run(["restore", "--id", id, "--where", 'routing_key == "other"']), {
      status: 1,
      error: /--where 'routing_key == "other"' selects no message of backup/,
      hint: /mqbackup cat/,
    });
    const missing = ["--where", 'headers.tenant == "acme"'];
    const error =
      /--where cannot be evaluated for the message of sequence 0 of queue q in virtual host .*: no such key: tenant/;
    const hint = /has\(headers\.tenant\)/;
    expectFailure(await scene.run(["restore", "--id", id, ...missing]), { status: 2, error, hint });
    expectFailure(await scene.run(["cat", id, ...missing]), { status: 2, error, hint });
    await expect(readyCount(scene.vhost, "q")).rejects.toThrow(/404/);
  });
});

async function backedUp(scene: Scene) {
  await declareQueue(scene.vhost, "q", "classic");
  const messages = await fill(scene.vhost, "q", MESSAGES);
  return { messages, id: await scene.backup() };
}
