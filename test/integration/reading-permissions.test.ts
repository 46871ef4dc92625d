import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Broker } from "../lab/brokers.ts";
import { createUser, deleteUser, management } from "../lab/management.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue } from "../lab/queues.ts";
import { labReader, openCursor, readAll, readQueue } from "../lab/read.ts";
import { argumentsFor, plainRecipe } from "../lab/recipes.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";

/** All that a backup over AMQP needs: reading its queues, and declaring the locks. */
const LEAST = { configure: "^mqbackup\\.lock\\.", write: "^$", read: "^mine\\." };

describe.concurrent.each(sharedBrokers())("permissions on $version", (broker) => {
  test.each(["classic", "quorum", "stream"] as const)(
    "read on a %s queue and configure on the lock are enough",
    async (type) => {
      await using vhost = await freshVhost(broker);
      await declareQueue(vhost, "mine.q", type, argumentsFor(broker, type));
      await fill(vhost, "mine.q", 20);
      await using user = await freshUser(vhost, LEAST);
      const recipe = plainRecipe(broker, type);
      await using cursor = await openCursor(vhost, "mine.q", recipe, {
        hold: "until-settled",
        url: user.url,
      });
      expect(await readAll(cursor)).toHaveLength(20);
      expect(cursor).toMatchObject({ unprotected: false, gaps: [] });
      await expect(readQueue(vhost, "mine.q", recipe)).rejects.toMatchObject({ code: "QUEUE_LOCKED" });
    },
  );

  test("without the lock's permission a queue is read unprotected", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "mine.q", "classic");
    await fill(vhost, "mine.q", 20);
    await using user = await freshUser(vhost, { ...LEAST, configure: "^$" });
    const reading = await readQueue(vhost, "mine.q", plainRecipe(broker, "classic"), { url: user.url });
    expect(reading).toMatchObject({ unprotected: true, gaps: [], readyAfter: 20 });
  });

  test("where no more queues may be declared a queue is read unprotected", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "mine.q", "classic");
    await fill(vhost, "mine.q", 20);
    const limit = `/api/vhost-limits/${encodeURIComponent(vhost.name)}/max-queues`;
    await management(broker, "PUT", limit, { value: 1 });
    const reading = await readQueue(vhost, "mine.q", plainRecipe(broker, "classic"));
    expect(reading).toMatchObject({ unprotected: true, gaps: [], readyAfter: 20 });
  });

  test("a queue that may not be read is refused, and only that", async () => {
    await using vhost = await freshVhost(broker);
    for (const queue of ["mine.a", "theirs", "mine.b"]) {
      await declareQueue(vhost, queue, "classic");
      await fill(vhost, queue, 5);
    }
    await using user = await freshUser(vhost, LEAST);
    const access = await labReader(broker, user.url).access(vhost.name, [
      "mine.a",
      "theirs",
      "mine.b",
      "mine.none",
    ]);
    expect([...access].map(([name, error]) => [name, error?.code])).toEqual([
      ["mine.a", undefined],
      ["theirs", "QUEUE_REFUSED"],
      ["mine.b", undefined],
      ["mine.none", "QUEUE_MISSING"],
    ]);
    const recipe = plainRecipe(broker, "classic");
    await expect(readQueue(vhost, "theirs", recipe, { url: user.url })).rejects.toMatchObject({
      code: "QUEUE_REFUSED",
      hint: expect.stringContaining("read permission"),
    });
    expect((await readQueue(vhost, "mine.b", recipe, { url: user.url })).messages).toHaveLength(5);
    // Looking has left no consumer and no message held.
    expect(await readQueue(vhost, "mine.a", recipe)).toMatchObject({ readyAtCut: 5, gaps: [] });
  });

  test.each([
    ["write", { configure: "^$", write: ".*", read: "^$" }],
    ["configure", { configure: ".*", write: "^$", read: "^$" }],
    ["nothing", { configure: "^$", write: "^$", read: "^$" }],
  ])("with permission to %s alone nothing can be read", async (_what, rights) => {
    await using vhost = await freshVhost(broker);
    await using user = await freshUser(vhost, rights);
    for (const type of ["classic", "quorum", "stream"] as const) {
      await declareQueue(vhost, type, type, argumentsFor(broker, type));
      await fill(vhost, type, 1);
      await expect(
        readQueue(vhost, type, plainRecipe(broker, type), { url: user.url }),
      ).rejects.toMatchObject({
        code: "QUEUE_REFUSED",
      });
    }
  });

  test("a wrong password and a foreign virtual host are told apart", async () => {
    await using vhost = await freshVhost(broker);
    await using user = await freshUser(vhost, LEAST);
    await using foreign = await freshVhost(broker);
    const wrong = user.url.replace(/:[^:@]*@/, ":wrong@");
    await expect(labReader(broker, wrong).describe(vhost.name)).rejects.toMatchObject({
      code: "LOGIN_REFUSED",
    });
    await expect(labReader(broker, user.url).describe(foreign.name)).rejects.toMatchObject({
      code: "VHOST_MISSING",
    });
    await expect(labReader(broker, user.url).describe("none")).rejects.toMatchObject({
      code: "VHOST_MISSING",
    });
    expect(await labReader(broker, user.url).describe(vhost.name)).toMatchObject({ product: "RabbitMQ" });
  });
});

async function freshUser(
  vhost: LabVhost,
  rights: { readonly configure: string; readonly write: string; readonly read: string },
): Promise<{ readonly url: string } & AsyncDisposable> {
  const { broker } = vhost;
  const name = `lab-${randomBytes(6).toString("hex")}`;
  await createUser(broker, { name, password: name, permissions: [{ vhost: vhost.name, ...rights }] });
  return { url: urlOf(broker, name), [Symbol.asyncDispose]: () => deleteUser(broker, name) };
}

function urlOf(broker: Broker, user: string): string {
  return `amqp://${user}:${user}@${broker.host}:${broker.amqpPort}`;
}
