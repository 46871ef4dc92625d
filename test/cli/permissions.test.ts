import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Broker } from "../lab/brokers.ts";
import { expectAll } from "../lab/expect-queue.ts";
import { createUser, deleteUser } from "../lab/management.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue } from "../lab/queues.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker, sharedBrokers } from "../lab/shared-brokers.ts";

interface Rights {
  readonly tags: readonly string[];
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** What the README asks for. */
const BACKUP_USER: Rights = { tags: ["management"], configure: "^mqbackup\\.", write: "^$", read: ".*" };
const RESTORE_USER: Rights = {
  tags: ["management"],
  configure: "^mqbackup\\.",
  write: ".*",
  read: "^mqbackup\\.",
};

describe.each(sharedBrokers())("$version", (broker) => {
  test("no permission on one queue of many: that one is named, the others are kept", async () => {
    await using scene = await newScene(broker);
    const names = ["a", "private", "z"];
    const filled = new Map<string, Awaited<ReturnType<typeof fill>>>();
    for (const name of names) {
      await declareQueue(scene.vhost, name, "classic");
      filled.set(name, await fill(scene.vhost, name, 30));
    }
    await using user = await userWith(scene, { ...BACKUP_USER, read: "^(a|z)$" });
    const result = await scene.run(["full"], { env: user.env });
    expect(result).toMatchObject({ status: 3 });
    expect(result.stdout).toMatch(/^skipped private: .*(permission|refused|may not)/m);
    expect(result.stdout).toMatch(/^ {2}hint: .*permission/m);
    expect(result.stdout).toMatch(/^a +classic +complete +30 /m);
    expect(result.stdout).toMatch(/^z +classic +complete +30 /m);

    const check = await scene.run(["check"], { env: user.env });
    expect(check).toMatchObject({ status: 3 });
    expect(check.stdout).toMatch(/^refused private: /m);

    const alone = await scene.run(["full", "--queue", "private"], { env: user.env });
    expectFailure(alone, { status: 1, error: /queue private in /, hint: /permission/ });
    expect(await scene.committed()).toHaveLength(1);
    await scene.expectNothingLeft();
    for (const name of names) await expectAll(scene.vhost, name, filled.get(name) ?? []);
  });

  test("the least rights a backup and a restore need", async () => {
    await using scene = await newScene(broker);
    const filled = new Map<string, Awaited<ReturnType<typeof fill>>>();
    for (const type of ["classic", "quorum"] as const) {
      await declareQueue(scene.vhost, type, type, type === "quorum" ? noLimit(broker) : {});
      filled.set(type, await fill(scene.vhost, type, 100));
    }
    await declareQueue(scene.vhost, "stream", "stream");
    await fill(scene.vhost, "stream", 100);
    await using reader = await userWith(scene, BACKUP_USER);
    const full = await scene.run(["full"], { env: reader.env });
    expect(full).toMatchObject({ status: 0 });
    expect(full.stdout).not.toContain("protection");
    expect(await scene.run(["check"], { env: reader.env })).toMatchObject({ status: 0 });

    await using writer = await userWith(scene, RESTORE_USER);
    const restore = ["restore", "--id", "latest", "--exclude", "stream", "--append"];
    expect(await scene.run(restore, { env: writer.env })).toMatchObject({ status: 0 });
    await scene.expectNothingLeft();
    for (const [name, messages] of filled) await expectAll(scene.vhost, name, [...messages, ...messages]);
  });
});

test("without the right to take the lock a backup says that it is not protected", async () => {
  await using scene = await newScene(newestBroker());
  await declareQueue(scene.vhost, "q", "classic");
  const messages = await fill(scene.vhost, "q", 30);
  await using user = await userWith(scene, { ...BACKUP_USER, configure: "^$" });
  const result = await scene.run(["full"], { env: user.env });
  expect(result).toMatchObject({ status: 0 });
  expect(result.stdout).toMatch(/^warning: .*without protection against a second run.*mqbackup\.lock/m);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

test("without the tag management the hint says what to give, or to do without", async () => {
  await using scene = await newScene(newestBroker());
  await declareQueue(scene.vhost, "q", "classic");
  await using user = await userWith(scene, { ...BACKUP_USER, tags: [] });
  expectFailure(await scene.run(["full"], { env: user.env }), {
    status: 4,
    error: /management API .* refused the login/,
    hint: /set_user_tags <user> management|tag management/,
  });
  await scene.expectNothingLeft();
});

test("a restore without the right to write is refused by name, and publishes nothing", async () => {
  await using scene = await newScene(newestBroker());
  await declareQueue(scene.vhost, "q", "classic");
  const messages = await fill(scene.vhost, "q", 30);
  const id = await scene.backup();
  await using user = await userWith(scene, { ...RESTORE_USER, write: "^$" });
  for (const way of [[], ["--route", "default"], ["--route", "exchange"]]) {
    const result = await scene.run(["restore", "--id", id, "--append", ...way], { env: user.env });
    // Some versions refuse a look at the queue, others only the publishing.
    const stdout = result.stdout === "" ? /^$/ : /^q in \S+ +failed +0 +30 /m;
    expectFailure(result, {
      status: 1,
      error: /ACCESS_REFUSED/,
      hint: /permission|Give the user/,
      stdout,
      before: /^q: failed/,
    });
  }
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

/** So that reading costs no deliveries. */
function noLimit({ version }: Broker): Readonly<Record<string, unknown>> {
  return version.startsWith("3.") ? {} : { "x-delivery-limit": -1 };
}

interface LabUser extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
}

/** A user with these rights in the scene's virtual host, and the scene's password. */
async function userWith(scene: Scene, { tags, ...rights }: Rights): Promise<LabUser> {
  const name = `${scene.user}-${randomBytes(4).toString("hex")}`;
  await createUser(scene.broker, {
    name,
    password: scene.password,
    tags,
    permissions: [{ vhost: scene.vhost.name, ...rights }],
  });
  return {
    env: { MQBACKUP_URL: scene.url().replace(scene.user, name) },
    [Symbol.asyncDispose]: () => deleteUser(scene.broker, name),
  };
}
