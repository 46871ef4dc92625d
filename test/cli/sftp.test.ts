import { randomBytes } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CliOptions, CliResult } from "../lab/cli.ts";
import { expectAll } from "../lab/expect-queue.ts";
import { startProxy } from "../lab/proxy.ts";
import { fill, publishAll } from "../lab/publish.ts";
import { declareQueue, deleteQueue, untilReady } from "../lab/queues.ts";
import { committedAt, expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { makeKey, NO_SSHD, startSftpServer, type SftpServer } from "../lab/sftp-server.ts";
import { newestBroker } from "../lab/shared-brokers.ts";

describe.skipIf(NO_SSHD !== null)(`SFTP${NO_SSHD === null ? "" : ` (${NO_SSHD})`}`, () => {
  let server: SftpServer;
  beforeAll(async () => {
    server = await startSftpServer();
  });
  afterAll(async () => server[Symbol.asyncDispose]());

  /** A scene with a directory of the server as its target. */
  interface SftpScene extends AsyncDisposable {
    readonly scene: Scene;
    /** The directory, from within. */
    readonly directory: string;
    where(port?: number): string;
    run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult>;
    start(args: readonly string[], env?: Readonly<Record<string, string>>): ReturnType<Scene["start"]>;
  }

  async function newSftpScene(): Promise<SftpScene> {
    const scene = await newScene(newestBroker());
    const directory = server.join(randomBytes(6).toString("hex"));
    await mkdir(directory);
    const where = (port = server.port): string => server.target(directory, { port });
    const options = (env = {}): CliOptions => ({ env: { MQBACKUP_TARGET: where(), ...env } });
    return {
      scene,
      directory,
      where,
      run: async (args, env) => scene.run(args, options(env)),
      start: async (args, env) => scene.start(args, options(env)),
      [Symbol.asyncDispose]: async () => scene[Symbol.asyncDispose](),
    };
  }

  test("a chain at a server: taken, listed, looked at, verified, restored, pruned", async () => {
    await using sftp = await newSftpScene();
    const { vhost } = sftp.scene;
    await declareQueue(vhost, "q", "quorum");
    const first = await fill(vhost, "q", 300);
    const done = { status: 0 };
    expect(await sftp.run(["full"])).toMatchObject(done);
    const second = await fill(vhost, "q", 30, { from: 300 });
    expect(await sftp.run(["incremental", "--require-base"])).toMatchObject(done);
    const [full = "", incremental = ""] = await committedAt(sftp.directory);
    expect(incremental.startsWith(full)).toBe(true);
    expect((await sftp.run(["list", "--json"])).stdout).toContain(incremental);
    expect((await sftp.run(["show", "latest"])).stdout).toMatch(/330/);
    expect(await sftp.run(["verify", "--records"])).toMatchObject(done);
    await deleteQueue(vhost, "q");
    expect(await sftp.run(["restore", "--id", "latest", "--read-back"])).toMatchObject(done);
    await expectAll(vhost, "q", [...first, ...second]);
    expect(await sftp.run(["full"])).toMatchObject(done);
    expect(await sftp.run(["prune", "--keep-last", "1", "--confirm"])).toMatchObject(done);
    expect(await committedAt(sftp.directory)).toHaveLength(1);
    expect((await readdir(sftp.directory)).toSorted()).toEqual([
      ".incoming",
      "backups",
      "mqbackup-repository.json",
    ]);
    await sftp.scene.expectNothingLeft();
  });

  test("a directory and a server: each gets a copy, and either restores; on the server it is a directory like any other", async () => {
    await using sftp = await newSftpScene();
    const { vhost, target } = sftp.scene;
    await declareQueue(vhost, "q", "classic");
    const messages = await fill(vhost, "q", 100);
    const both = ["--target", target, "--target", sftp.where()];
    expect(await sftp.run(["full", ...both])).toMatchObject({ status: 0 });
    expect(await committedAt(sftp.directory)).toEqual(await sftp.scene.committed());
    expect(await sftp.run(["verify", ...both])).toMatchObject({ status: 0 });
    for (const each of [sftp.where(), sftp.directory]) {
      await deleteQueue(vhost, "q");
      expect(await sftp.run(["restore", "--id", "latest", "--target", each])).toMatchObject({ status: 0 });
      await expectAll(vhost, "q", messages);
    }
  });

  test("a connection that breaks while volumes go out and come back is not noticed", async () => {
    await using sftp = await newSftpScene();
    const messages = await fillBig(sftp.scene);
    await using proxy = await startProxy({ host: "127.0.0.1", port: server.port });
    const through = { MQBACKUP_TARGET: sftp.where(proxy.port) };
    await using running = await sftp.start(["full"], through);
    await proxy.pauseAfter(6_000_000, "server");
    proxy.resume();
    proxy.cut();
    expect(await running.result).toMatchObject({ status: 0 });
    proxy.cutAfter(5_000_000);
    expect(await sftp.run(["verify", "--records"], through)).toMatchObject({ status: 0 });
    await deleteQueue(sftp.scene.vhost, "q");
    proxy.cutAfter(5_000_000);
    expect(await sftp.run(["restore", "--id", "latest"], through)).toMatchObject({ status: 0 });
    await expectAll(sftp.scene.vhost, "q", messages);
  });

  test("kill -9 in the midst of an upload: no backup is listed, and the next run removes what was left", async () => {
    await using sftp = await newSftpScene();
    await fillBig(sftp.scene);
    await using proxy = await startProxy({ host: "127.0.0.1", port: server.port });
    await using running = await sftp.start(["full"], { MQBACKUP_TARGET: sftp.where(proxy.port) });
    await proxy.pauseAfter(6_000_000, "server");
    running.kill("SIGKILL");
    await running.result;
    proxy.cut();
    expect(await readdir(`${sftp.directory}/.incoming`)).toHaveLength(1);
    expect((await sftp.run(["list"])).stdout).not.toMatch(/\d{8}-\d{6}F/);
    await untilReady(sftp.scene.vhost, "q", 160);
    expect(await sftp.run(["full"])).toMatchObject({ status: 0 });
    expect(await committedAt(sftp.directory)).toHaveLength(1);
    expect(await readdir(`${sftp.directory}/.incoming`)).toEqual([]);
  });

  test("what cannot be used says why, and no queue is touched", async () => {
    await using sftp = await newSftpScene();
    const { scene } = sftp;
    await declareQueue(scene.vhost, "q", "classic");
    const messages = await fill(scene.vhost, "q", 20);
    const stranger = server.join("stranger");
    await makeKey(stranger);
    const empty = server.join("empty");
    await writeFile(empty, "");
    const where = sftp.where();
    const cases: [string, number, RegExp, RegExp][] = [
      [
        where.replace(sftp.directory, `${sftp.directory}/none`),
        5,
        /none does not exist/,
        /Make the directory/,
      ],
      [sftp.where(1), 5, /connection refused/, /host and port/],
      [
        where.replace(/knownHosts=[^&]*/, `knownHosts=${empty}`),
        5,
        /is not known: .*SHA256:/,
        /ssh-keyscan -p/,
      ],
      [
        where.replace(/identityFile=[^&]*/, `identityFile=${stranger}`),
        5,
        /does not take the login/,
        /authorized_keys/,
      ],
      [
        where.replace(/identityFile=[^&]*/, `identityFile=${empty}`),
        2,
        /is no private key/,
        /Name the private key/,
      ],
      [
        where.replace("identityFile", "identityfile"),
        2,
        /unknown option identityfile=/,
        /Did you mean identityFile=\?/,
      ],
      [where.replace("@", ":planted@"), 2, /holds a password/, /passwordFile=/],
      [where.replace("sftp:", "ssh:"), 2, /ssh:\/\/\.\.\. is not supported/, /sftp:\/\/user@host\/path/],
    ];
    for (const [target, status, error, hint] of cases) {
      for (const command of ["full", "list"]) {
        const result = await sftp.run([command], { MQBACKUP_TARGET: target });
        expectFailure(result, { status, error, hint });
        expect(result.stderr).not.toContain("planted@");
      }
    }
    expectFailure(await sftp.run(["full", "--target", where, "--target", sftp.where()]), {
      status: 2,
      error: /is given twice/,
      hint: /once/,
    });
    expect(await readdir(sftp.directory)).toEqual([]);
    await scene.expectNothingLeft();
    await expectAll(scene.vhost, "q", messages);
  });
});

/** A volume that takes a while: bytes that cannot be compressed. */
async function fillBig({ vhost }: Scene) {
  await declareQueue(vhost, "q", "classic");
  const messages = Array.from({ length: 160 }, () => ({ body: randomBytes(128 * 1024), properties: {} }));
  await publishAll(vhost, "q", messages);
  return messages;
}
