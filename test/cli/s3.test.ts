import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { GetObjectCommand, HeadObjectCommand, PutBucketPolicyCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CliOptions, CliResult } from "../lab/cli.ts";
import { openChannel } from "../lab/channel.ts";
import { expectAll } from "../lab/expect-queue.ts";
import { startProxy } from "../lab/proxy.ts";
import { fill, publishAll } from "../lab/publish.ts";
import { declareQueue, deleteQueue, untilReady } from "../lab/queues.ts";
import { startS3Proxy } from "../lab/s3-proxy.ts";
import { startS3Server, type S3Server } from "../lab/s3-server.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { filesBelow, tempDirectory } from "../lab/temp.ts";

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
});
afterAll(async () => server[Symbol.asyncDispose]());

/** A scene with a bucket as its target. */
interface S3Scene extends AsyncDisposable {
  readonly scene: Scene;
  readonly bucket: string;
  /** The target by another endpoint, if given. */
  where(endpoint?: string): string;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult>;
  start(args: readonly string[], env?: Readonly<Record<string, string>>): ReturnType<Scene["start"]>;
  committed(): Promise<readonly string[]>;
}

async function newS3Scene(given?: string): Promise<S3Scene> {
  const scene = await newScene(newestBroker());
  const bucket = given ?? (await server.makeBucket());
  const where = (endpoint = server.endpoint): string =>
    `s3://${bucket}/rabbit?endpoint=${endpoint}&pathStyle=true`;
  const options = (env = {}): CliOptions => ({
    env: { ...server.user.env, MQBACKUP_TARGET: where(), ...env },
  });
  return {
    scene,
    bucket,
    where,
    async run(args, env) {
      const result = await scene.run(args, options(env));
      expect(result.stdout + result.stderr, "the secret key").not.toContain(server.user.secretKey);
      return result;
    },
    start: async (args, env) => scene.start(args, options(env)),
    committed: async () =>
      (await server.keys(bucket)).flatMap(
        (key) => /^rabbit\/backups\/(.+)\/manifest\.json$/.exec(key)?.[1] ?? [],
      ),
    [Symbol.asyncDispose]: async () => scene[Symbol.asyncDispose](),
  };
}

test("a chain at S3: taken, listed, looked at, verified, restored, pruned", async () => {
  await using s3 = await newS3Scene();
  const { vhost } = s3.scene;
  await declareQueue(vhost, "q", "quorum");
  const first = await fill(vhost, "q", 300);
  const done = { status: 0 };
  expect(await s3.run(["full"])).toMatchObject(done);
  const second = await fill(vhost, "q", 30, { from: 300 });
  expect(await s3.run(["incremental", "--require-base"])).toMatchObject(done);
  const [full = "", incremental = ""] = await s3.committed();
  expect(incremental.startsWith(full)).toBe(true);
  const list = await s3.run(["list", "--json"]);
  expect(list.stdout).toContain(incremental);
  expect((await s3.run(["show", "latest"])).stdout).toMatch(/330/);
  expect((await s3.run(["cat", "latest", "--queue", "q"])).stdout.trim().split("\n")).toHaveLength(330);
  expect(await s3.run(["diff", full, incremental])).toMatchObject(done);
  expect(await s3.run(["verify", "--records"])).toMatchObject(done);
  await deleteQueue(vhost, "q");
  expect(await s3.run(["restore", "--id", "latest", "--read-back"])).toMatchObject(done);
  await expectAll(vhost, "q", [...first, ...second]);
  expect(await s3.run(["mark", full])).toMatchObject(done);
  expect(await s3.run(["unmark", full])).toMatchObject(done);
  expect(await s3.run(["full"])).toMatchObject(done);
  expect(await s3.run(["prune", "--keep-last", "1", "--confirm"])).toMatchObject(done);
  const left = await s3.committed();
  expect(left).toHaveLength(1);
  const keys = await server.keys(s3.bucket);
  expect(keys.filter((key) => !key.startsWith(`rabbit/backups/${left[0]}/`))).toEqual([
    "rabbit/mqbackup-repository.json",
  ]);
  await expectNoSecretIn(s3);
  await s3.scene.expectNothingLeft();
});

test("a directory and a bucket: each gets a copy, and either restores", async () => {
  await using s3 = await newS3Scene();
  const { vhost, target } = s3.scene;
  await declareQueue(vhost, "q", "classic");
  const messages = await fill(vhost, "q", 100);
  const both = ["--target", s3.where(), "--target", target];
  expect(await s3.run(["full", ...both])).toMatchObject({ status: 0 });
  expect(await s3.committed()).toEqual(await s3.scene.committed());
  expect(await s3.run(["verify", ...both])).toMatchObject({ status: 0 });
  for (const each of [s3.where(), target]) {
    await deleteQueue(vhost, "q");
    expect(await s3.run(["restore", "--id", "latest", "--target", each])).toMatchObject({ status: 0 });
    await expectAll(vhost, "q", messages);
  }
});

test("volumes of many parts, built in a directory of one's own choice", async () => {
  await using s3 = await newS3Scene();
  await using spool = await tempDirectory();
  const messages = await fillBig(s3.scene);
  expect(await s3.run(["full", "--spool-dir", spool.path])).toMatchObject({ status: 0 });
  expect(await filesBelow(spool.path)).toEqual([]);
  expect(await server.unfinished(s3.bucket)).toBe(0);
  await using proxy = await startProxy(addressOf(server));
  // In the midst of a volume: it goes on from there.
  proxy.cutAfter(5_000_000);
  const through = { MQBACKUP_TARGET: s3.where(`http://127.0.0.1:${proxy.port}`) };
  expect(await s3.run(["verify"], through)).toMatchObject({ status: 0 });
  await deleteQueue(s3.scene.vhost, "q");
  proxy.cutAfter(5_000_000);
  expect(await s3.run(["restore", "--id", "latest"], through)).toMatchObject({ status: 0 });
  await expectAll(s3.scene.vhost, "q", messages);
});

test("a connection that breaks while volumes go out: they go again, and nothing else is noticed", async () => {
  await using s3 = await newS3Scene();
  await fillBig(s3.scene);
  await using proxy = await startProxy(addressOf(server));
  const through = { MQBACKUP_TARGET: s3.where(`http://127.0.0.1:${proxy.port}`) };
  await using running = await s3.start(["full"], through);
  await proxy.pauseAfter(6_000_000, "server");
  proxy.resume();
  proxy.cut();
  expect(await running.result).toMatchObject({ status: 0 });
  expect(await s3.run(["verify", "--records"])).toMatchObject({ status: 0 });
  expect(await server.unfinished(s3.bucket)).toBe(0);
});

test("what cannot be used says why, and no queue is touched", async () => {
  await using s3 = await newS3Scene();
  const { scene } = s3;
  await declareQueue(scene.vhost, "q", "classic");
  const messages = await fill(scene.vhost, "q", 20);
  const target = (text: string) => ({ MQBACKUP_TARGET: text });
  const cases: [Record<string, string>, number, RegExp, RegExp][] = [
    [target(s3.where().replace(s3.bucket, "no-such-bucket")), 5, /no such bucket/, /Make the bucket/],
    [target(s3.where("http://127.0.0.1:1")), 5, /connection refused/, /endpoint=/],
    [
      { AWS_SECRET_ACCESS_KEY: "wrong" },
      5,
      /the secret key is not that of the access key/,
      /AWS_SECRET_ACCESS_KEY/,
    ],
    [{ AWS_ACCESS_KEY_ID: "NOBODY" }, 5, /the access key is not known there/, /AWS_ACCESS_KEY_ID/],
    [
      { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "", AWS_EC2_METADATA_DISABLED: "true" },
      5,
      /no credentials are found/,
      /AWS_PROFILE or profile=/,
    ],
    [(await server.makeUser()).env, 5, /access denied/, /s3:ListBucket/],
    [target(`${s3.where()}&pathstyle=true`), 2, /unknown option pathstyle=/, /Did you mean pathStyle=\?/],
    [target("s3://AKIA:planted@bucket/x"), 2, /holds a user name or a password/, /AWS_ACCESS_KEY_ID/],
  ];
  for (const [env, status, error, hint] of cases) {
    for (const command of ["full", "list"]) {
      const result = await s3.run([command], env);
      expectFailure(result, { status, error, hint });
      expect(result.stderr).not.toContain("planted@");
    }
  }
  expect(await server.keys(s3.bucket)).toEqual([]);
  await scene.expectNothingLeft();
  await expectAll(scene.vhost, "q", messages);
});

test("the bucket policies of the README are enough for what they are for, and for no more", async () => {
  await using s3 = await newS3Scene();
  const { vhost } = s3.scene;
  const host = await hostsOfReadme(s3.bucket);
  await declareQueue(vhost, "q", "classic");
  const messages = await fill(vhost, "q", 20);
  // With a backup host that may remove nothing: each run finds what the one before has left.
  for (const args of [["full"], ["mark", "latest"], ["incremental"], ["compact", "latest"]]) {
    expect(await s3.run(args, host.backup), args[0]).toMatchObject({ status: 0 });
  }
  const told = (await s3.run(["full"], host.backup)).stderr;
  expect(told.match(/warning: s3:.+ lets nothing be removed/g)).toHaveLength(1);
  expect((await s3.run(["full", "--quiet"], host.backup)).stderr).toBe("");
  expect((await server.keys(s3.bucket)).filter((key) => /released|begun/.test(key)).length).toBeGreaterThan(
    8,
  );
  const prune = ["prune", "--keep-last", "1", "--confirm"];
  const refused = { status: 5, error: /access denied/, hint: /README/ };
  expectFailure(await s3.run(prune, host.backup), { ...refused, stdout: /./ });
  expect(await s3.committed()).toHaveLength(5);
  for (const args of [["list"], ["verify"], ["cat", "latest", "--queue", "q"]]) {
    expect(await s3.run(args, host.restore), args[0]).toMatchObject({ status: 0 });
  }
  await deleteQueue(vhost, "q");
  expect(await s3.run(["restore", "--id", "latest"], host.restore)).toMatchObject({ status: 0 });
  await expectAll(vhost, "q", messages);
  for (const env of [host.restore, host.prune]) expectFailure(await s3.run(["full"], env), refused);
  expect(await s3.run(prune, host.prune)).toMatchObject({ status: 0 });
  // The marked one, and the last.
  expect(await s3.committed()).toHaveLength(2);
  expect(
    (await server.keys(s3.bucket)).filter((key) => key.startsWith("rabbit/leases/") && !/released/.test(key)),
  ).toEqual([]);
  const elsewhere = { ...host.backup, MQBACKUP_TARGET: s3.where().replace("/rabbit?", "/other?") };
  expectFailure(await s3.run(["full"], elsewhere), refused);
});

/** Users with the bucket policies that stand in the README, on this bucket: what each has in its environment. */
async function hostsOfReadme(bucket: string) {
  const readme = await readFile(path.resolve(import.meta.dirname, "../../README.md"), "utf8");
  const policies = [...readme.matchAll(/^```json\n(\{\n {2}"Version": "2012.*?)^```/gms)].map(
    ([, text = ""]) => text,
  );
  const users = {
    backup: await server.makeUser(),
    restore: await server.makeUser(),
    prune: await server.makeUser(),
  };
  expect(policies.map((text) => /user\/(\w+)/.exec(text)?.[1])).toEqual(Object.keys(users));
  const statements = Object.entries(users).flatMap(([role, { name }], i) => {
    const text = (policies[i] ?? "")
      .replaceAll(`user/${role}`, `user/${name}`)
      .replaceAll("s3:::backups/rabbitmq", `s3:::${bucket}/rabbit`)
      .replaceAll("s3:::backups", `s3:::${bucket}`);
    const { Statement } = JSON.parse(text) as { readonly Statement: readonly object[] };
    return Statement;
  });
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement: statements });
  await server.client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
  const { backup, restore, prune } = users;
  return { backup: backup.env, restore: restore.env, prune: prune.env, writer: backup };
}

test("locked backups: a host that may lock, a prune that leaves them and says until when", async () => {
  const bucket = await server.makeLockBucket();
  await using s3 = await newS3Scene(bucket);
  const { vhost } = s3.scene;
  const host = await hostsOfReadme(bucket);
  await declareQueue(vhost, "q", "classic");
  await fill(vhost, "q", 20);
  for (const args of [
    ["full", "--lock-days", "7"],
    ["incremental", "--lock-days", "30", "--lock-mode", "compliance"],
    ["full"],
  ])
    expect(await s3.run(args, host.backup), args[0]).toMatchObject({ status: 0 });
  const [full = "", incremental = "", last = ""] = await s3.committed();
  // Objects of another owner may not be looked at by that of the bucket.
  const client = server.clientOf(host.writer);
  const days = async (name: string): Promise<[string | undefined, number]> => {
    const Key = `rabbit/backups/${name}`;
    const { ObjectLockMode, ObjectLockRetainUntilDate: until } = await client.send(
      new HeadObjectCommand({ Bucket: bucket, Key }),
    );
    return [
      ObjectLockMode,
      until === undefined ? 0 : Math.round((until.getTime() - Date.now()) / 86_400_000),
    ];
  };
  for (const file of ["manifest.json", "index.tar.zst", "data-00001.tar.zst"]) {
    expect(await days(`${incremental}/${file}`)).toEqual(["COMPLIANCE", 30]);
    // What the incremental needs, and a day more.
    expect(await days(`${full}/${file}`)).toEqual(["GOVERNANCE", 31]);
    expect(await days(`${last}/${file}`)).toEqual([undefined, 0]);
  }
  expect(await days(`${full}/begun.json`)).toEqual([undefined, 0]);
  const prune = ["prune", "--keep-last", "1", "--confirm"];
  const { status, stdout } = await s3.run(prune, host.prune);
  expect(status).toBe(0);
  expect(stdout).toMatch(/ keep +.*locked until \d{4}-\d\d-\d\dT/);
  expect(await s3.committed()).toEqual([full, incremental, last]);
  const json = await s3.run([...prune, "--json"], host.prune);
  expect(json.stdout).toMatch(/"kind":"locked","until":"\d{4}-/);
  await using plain = await newS3Scene();
  const mixed = [
    ["full", "--lock-days", "1"],
    ["full", "--target", s3.where(), "--target", s3.scene.target, "--lock-days", "1"],
  ];
  for (const args of mixed)
    expectFailure(await plain.run(args), { status: 5, error: / cannot lock /, hint: /--lock-days/ });
  expect(await plain.committed()).toEqual([]);
  await declareQueue(plain.scene.vhost, "q", "classic");
  const looking = await plain.run(["full", "--target", `${plain.where()}&conditionalPut=no`]);
  expect(looking.status).toBe(0);
  expect(looking.stderr.match(/warning: s3:.+ is used without conditional puts/g)).toHaveLength(1);
});

test("two runs at once: the second is told who holds the set", async () => {
  await using s3 = await newS3Scene();
  await declareQueue(s3.scene.vhost, "q", "classic");
  await fill(s3.scene.vhost, "q", 500);
  await using first = await s3.start(["full", "--rate", "50", "--json"]);
  await first.output(/"queue-progress"/);
  expectFailure(await s3.run(["full"]), {
    status: 11,
    error: /^mqbackup: set ".+" at s3:\/\/.+ is held by mqbackup full on .+/,
    hint: /Wait for that run/,
  });
  first.kill("SIGTERM");
  expect(await first.result).toMatchObject({ status: 130, leftovers: [] });
  expect(await s3.run(["full"])).toMatchObject({ status: 0 });
  expect(await s3.committed()).toHaveLength(1);
});

test("kill -9 in the midst of an upload: no backup is listed, and the next run goes on at once", async () => {
  await using s3 = await newS3Scene();
  await fillBig(s3.scene);
  await using proxy = await startProxy(addressOf(server));
  await using running = await s3.start(["full"], {
    MQBACKUP_TARGET: s3.where(`http://127.0.0.1:${proxy.port}`),
  });
  await proxy.pauseAfter(6_000_000, "server");
  running.kill("SIGKILL");
  await running.result;
  expect(await server.unfinished(s3.bucket)).toBe(1);
  expect(await s3.committed()).toEqual([]);
  expect((await s3.run(["list"])).stdout).not.toMatch(/\d{8}-\d{6}F/);
  await untilReady(s3.scene.vhost, "q", 160);
  expect(await s3.run(["full"])).toMatchObject({ status: 0 });
  expect(await s3.committed()).toHaveLength(1);
  expect(await s3.run(["verify", "latest", "--records"])).toMatchObject({ status: 0 });
});

test("the answer of every put is lost once: the backup is committed once, and whole", async () => {
  await using s3 = await newS3Scene();
  await declareQueue(s3.scene.vhost, "q", "classic");
  await fill(s3.scene.vhost, "q", 20);
  await using proxy = await startS3Proxy(server.endpoint);
  proxy.fail("put", ...Array.from({ length: 40 }, () => ["lost-answer", null] as const).flat());
  expect(await s3.run(["full"], { MQBACKUP_TARGET: s3.where(proxy.endpoint) })).toMatchObject({ status: 0 });
  expect(proxy.unused()).toBeGreaterThan(0);
  expect(proxy.requests.filter((operation) => operation === "put").length).toBeGreaterThan(8);
  expect(await s3.committed()).toHaveLength(1);
  expect((await server.keys(s3.bucket)).filter((key) => key.includes("/leases/"))).toEqual([]);
  expect(await s3.run(["verify", "--records"])).toMatchObject({ status: 0 });
});

test("a target that takes nothing holds no queue: all is read, given back and waits", async () => {
  await using s3 = await newS3Scene();
  const { vhost } = s3.scene;
  await fillBig(s3.scene);
  await using proxy = await startS3Proxy(server.endpoint);
  let goOn = (): void => undefined;
  const until = new Promise<void>((resolve) => (goOn = resolve));
  proxy.failAlways({ until }, "create");
  const args = ["full", "--json", "--volume-size", "9MiB"];
  await using running = await s3.start(args, { MQBACKUP_TARGET: s3.where(proxy.endpoint) });
  await running.output(/"queue-finished"/);
  await untilReady(vhost, "q", 160);
  expect(proxy.requests).not.toContain("part");
  goOn();
  const { status, stdout } = await running.result;
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ backups: [{ volumes: { length: 3 } }] });
  expect(await s3.run(["verify", "--records"])).toMatchObject({ status: 0 });
});

test("an upload rate: no sooner than that, and given up at once", async () => {
  await using s3 = await newS3Scene();
  await fillBig(s3.scene);
  const result = await s3.run(["full", "--json", "--upload-rate", "8MiB"]);
  expect(result.status).toBe(0);
  const told = JSON.parse(result.stdout) as {
    readonly backups: readonly {
      readonly measures: { readonly totalMs: number; readonly storedBytes: number };
    }[];
  };
  const { totalMs, storedBytes } = told.backups[0]?.measures ?? { totalMs: 0, storedBytes: Infinity };
  expect(totalMs).toBeGreaterThan((storedBytes / (8 << 20)) * 1000 - 200);
  // That would take an hour.
  await using running = await s3.start(["full", "--json", "--upload-rate", "6KiB/s"]);
  await running.output(/"queue-finished"/);
  await untilReady(s3.scene.vhost, "q", 160);
  running.kill("SIGTERM");
  expect(await running.result).toMatchObject({ status: 130, leftovers: [] });
  expect(await s3.committed()).toHaveLength(1);
  expect(await server.unfinished(s3.bucket)).toBe(0);
});

test("of one queue of a hundred hardly more is fetched than what it holds", async () => {
  await using s3 = await newS3Scene();
  const { vhost } = s3.scene;
  const names = Array.from({ length: 100 }, (_, i) => `q-${i}`);
  {
    await using lane = await openChannel(vhost.url);
    for (const name of names) {
      await lane.channel.assertQueue(name, { durable: true });
      lane.channel.publish("", name, randomBytes(64 * 1024));
    }
    await lane.channel.waitForConfirms();
  }
  expect(await s3.run(["full", "--parallel", "16"])).toMatchObject({ status: 0 });
  const shown = await s3.run(["show", "latest", "--json"]);
  const { queues, measures } = JSON.parse(shown.stdout) as {
    queues: { name: string; segments: { length: number }[] }[];
    measures: { storedBytes: number };
  };
  expect(measures.storedBytes).toBeGreaterThan(6_000_000);
  const segments = queues.find(({ name }) => name === "q-50")?.segments ?? [];
  const allowed = segments.reduce((sum, { length }) => sum + length, 0) + (1 << 20);
  await deleteQueue(vhost, "q-50");
  for (const args of [
    ["cat", "latest", "--queue", "q-50"],
    ["restore", "--id", "latest", "--queue", "q-50"],
  ]) {
    await using proxy = await startS3Proxy(server.endpoint);
    const run = await s3.run(args, { MQBACKUP_TARGET: s3.where(proxy.endpoint) });
    expect(run, args[0]).toMatchObject({ status: 0 });
    expect(proxy.bytesToClients()).toBeGreaterThan(64 * 1024);
    expect(proxy.bytesToClients(), args[0]).toBeLessThanOrEqual(allowed);
  }
  await untilReady(vhost, "q-50", 1);
});

test("the settings show where backups go, and no secret", async () => {
  await using s3 = await newS3Scene();
  const result = await s3.run(["check", "--print-settings"]);
  expect(result).toMatchObject({ status: 0 });
  expect(result.stdout).toContain(s3.where());
  await using verbose = await s3.start(["list", "--verbose"], { AWS_ACCESS_KEY_ID: "NOBODY" });
  const { status, stdout, stderr } = await verbose.result;
  expect({ status, stdout }).toEqual({ status: 5, stdout: "" });
  expect(stderr).toMatch(/caused by InvalidAccessKeyId 403\n/);
  expect(stderr).not.toMatch(/s3cr3t-planted|Signature/);
});

/** Volumes of more than one part: bytes that cannot be compressed. */
async function fillBig({ vhost }: Scene) {
  await declareQueue(vhost, "q", "classic");
  const messages = Array.from({ length: 160 }, () => ({ body: randomBytes(128 * 1024), properties: {} }));
  await publishAll(vhost, "q", messages);
  return messages;
}

async function expectNoSecretIn({ bucket, scene }: S3Scene): Promise<void> {
  for (const Key of await server.keys(bucket)) {
    const { Body } = await server.client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const text = (await Body?.transformToString("latin1")) ?? "";
    for (const secret of [server.user.secretKey, scene.secret])
      expect(text.includes(secret), Key).toBe(false);
  }
}

function addressOf({ endpoint }: S3Server): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(endpoint);
  return { host: hostname, port: Number(port) };
}
