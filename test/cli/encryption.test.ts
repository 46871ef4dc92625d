import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { age, ageKeygen, HAS_AGE } from "../lab/age-program.ts";
import type { CliResult } from "../lab/cli.ts";
import { expectAll } from "../lab/expect-queue.ts";
import { fill, type LabMessage } from "../lab/publish.ts";
import { declareQueue, deleteQueue } from "../lab/queues.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { takeHead } from "../lab/take-head.ts";
import { filesBelow, tempDirectory, type TempDirectory } from "../lab/temp.ts";

const QUEUE = "zebra.orders";

let keys: TempDirectory;
let recipient: string;
let scene: Scene;
let full: string;
let held: readonly LabMessage[];

/** Of who may read: `--identity-file`. */
let reading: string[];
let writing: string[];

beforeAll(async () => {
  keys = await tempDirectory();
  recipient = await ageKeygen(keys.join("operator.txt"));
  await ageKeygen(keys.join("other.txt"));
  reading = ["--identity-file", keys.join("operator.txt")];
  writing = ["--recipient", recipient];
  scene = await newScene(newestBroker());
  await declareQueue(scene.vhost, QUEUE, "classic");
  held = await fill(scene.vhost, QUEUE, 300);
  full = await scene.backup(...writing);
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await keys[Symbol.asyncDispose]();
});

async function made(...args: readonly string[]): Promise<Record<string, unknown>> {
  const result = await scene.run([...args, "--json", "--quiet"]);
  expect(result).toMatchObject({ status: 0, stderr: "" });
  const { backups } = JSON.parse(result.stdout) as { backups: Record<string, unknown>[] };
  return backups[0] ?? {};
}

describe("a chain of encrypted backups", () => {
  test("stores what is new, verifies, and restores as it was", async () => {
    await takeHead(scene.vhost, QUEUE, 20);
    held = [...held.slice(20), ...(await fill(scene.vhost, QUEUE, 40, { from: 300 }))];
    const taken = await made("incremental", ...writing, ...reading);
    expect(taken).toMatchObject({ base: full, queues: [{ name: QUEUE, own: 40, kept: 280 }] });
    await deleteQueue(scene.vhost, QUEUE);
    const restored = await scene.run(["restore", "--id", "latest", "--read-back", ...reading]);
    expect(restored).toMatchObject({ status: 0 });
    await expectAll(scene.vhost, QUEUE, held);
    expect(await scene.run(["verify"])).toMatchObject({ status: 0 });
    expect(await scene.run(["verify", "--records", ...reading])).toMatchObject({ status: 0 });
    await scene.expectNothingLeft();
    for (const file of await filesBelow(scene.target)) {
      const text = (await readFile(path.join(scene.target, file))).toString("latin1");
      expect(text, file).not.toContain('{"n":');
    }
  });

  test.runIf(HAS_AGE)("is opened by hand with age, zstd and tar", async () => {
    const folder = path.join(scene.target, "backups", full);
    await writeFile(
      keys.join("backup.key"),
      await age("-d", "-i", keys.join("operator.txt"), path.join(folder, "key.age")),
    );
    await writeFile(
      keys.join("data.tar.zst"),
      await age("-d", "-i", keys.join("backup.key"), path.join(folder, "data-00001.tar.zst.age")),
    );
    const { stdout } = await promisify(execFile)("tar", ["--zstd", "-tf", keys.join("data.tar.zst")]);
    expect(stdout).toMatch(/^queues\/00001-zebra\.orders\/000001\.records$/m);
  });

  test("is gone on with by a host that has recipients alone, as long as it has kept what it compares with", async () => {
    await using other = await tempDirectory();
    const own = [...writing, "--target", other.join("target"), "--state-dir", other.join("state")];
    await mkdir(other.join("target"));
    await fill(scene.vhost, QUEUE, 30);
    const base = await made("full", ...own);
    const kept = [...(await filesBelow(other.join("state")))].toSorted();
    expect(kept.map((file) => path.basename(file))).toEqual(["index.tar.zst", "manifest.json"]);
    for (const file of kept) {
      const { mode } = await stat(other.join("state", file));
      expect((mode & 0o777).toString(8)).toBe("600");
      expect((await readFile(other.join("state", file))).toString("latin1")).not.toContain('{"n":');
    }
    const next = await made("incremental", "--require-base", ...own);
    expect(next).toMatchObject({ base: base["id"], queues: [{ name: QUEUE, own: 0, kept: 30 }] });
    await fill(scene.vhost, QUEUE, 5, { from: 30 });
    const last = await made("incremental", "--require-base", ...own);
    expect(last).toMatchObject({ base: next["id"], queues: [{ own: 5, kept: 30 }] });
    await rm(other.join("state"), { recursive: true });
    const bare = await scene.run(["incremental", ...own]);
    expect(bare).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/no key is given to read backup .*: this one is full/) as string,
    });
    const at = ["--target", other.join("target"), ...reading];
    expect(await scene.run(["verify", "--records", ...at])).toMatchObject({ status: 0 });
  });

  test("show and verify need no key, and say that there is one", async () => {
    const shown = await scene.run(["show", full]);
    expect(shown).toMatchObject({ status: 0, stderr: "" });
    expect(shown.stdout).toMatch(/encrypted/);
    expect((await scene.run(["show", full, ...reading])).stdout).toMatch(/encrypted/);
    expect((await scene.run(["list", "--json"])).stdout).toMatch(/"encryption"/);
  });

  test("is copied, marked and pruned without a key, and compacted with one", async () => {
    await using other = await tempDirectory();
    const both = ["--target", scene.target, "--target", other.path];
    expect(await scene.run(["copy", ...both])).toMatchObject({ status: 0 });
    expect(await scene.run(["verify", "--records", "--target", other.path, ...reading])).toMatchObject({
      status: 0,
    });
    const compacted = await scene.run([
      "compact",
      "latest",
      "--target",
      other.path,
      ...writing,
      ...reading,
      "--json",
      "--quiet",
    ]);
    expect(compacted).toMatchObject({ status: 0, stderr: "" });
    expectFailure(await scene.run(["compact", "latest~", "--target", other.path, ...writing]), {
      status: 10,
      error: /latest~/,
      hint: /list/,
    });
    const pruned = await scene.run(["prune", "--target", other.path, "--keep-last", "1", "--confirm"]);
    expect(pruned).toMatchObject({ status: 0 });
    expect((await readdir(path.join(other.path, "backups"))).length).toBe(1);
    const { id } = (JSON.parse(compacted.stdout) as { backup: { id: string } }).backup;
    const printed = await scene.run(["cat", id, "--body", "raw", "--target", other.path, ...reading]);
    expect([...printed.stdout.matchAll(/\{"n":(\d+)/g)].map(([, n]) => Number(n))).toEqual(
      Array.from({ length: 320 }, (_, n) => n + 20),
    );
  });
});

describe("what does not fit is refused before anything happens", () => {
  const expectRefused = async (
    args: readonly string[],
    status: number,
    error: RegExp,
    hint: RegExp,
  ): Promise<void> => {
    expectFailure(await scene.run(args), { status, error, hint });
  };

  test("a wrong key, and none", async () => {
    const wrong = ["--identity-file", keys.join("other.txt")];
    for (const args of [
      ["restore", "--id", "latest"],
      ["cat", "latest"],
      ["diff", full, "latest"],
      ["verify", "--records"],
      ["verify", "--sample", "5%"],
    ]) {
      await expectRefused([...args, ...wrong], 12, /no identity that was given opens/, /identity-file/);
      await expectRefused(args, 12, /key|identity/, /identity/);
    }
    await expectRefused(
      ["show", "latest", ...wrong],
      12,
      /no identity that was given opens/,
      /identity-file/,
    );
    await expectRefused(
      ["incremental", ...writing, ...wrong],
      12,
      /no identity that was given opens/,
      /identity-file/,
    );
  });

  test("a backup that would not be encrypted, in a set of those that are", async () => {
    await expectRefused(["full"], 2, /is encrypted, and this one would not be/, /--recipient/);
    await expectRefused(
      ["incremental", ...reading],
      2,
      /is encrypted, and this one would not be/,
      /--recipient/,
    );
    await expectRefused(
      ["compact", "latest", ...reading],
      2,
      /is encrypted, and what is made of it would not be/,
      /--recipient/,
    );
  });

  test("a backup that is not encrypted, where a key is given", async () => {
    await using other = await tempDirectory();
    const at = ["--target", other.path];
    expect(await scene.run(["full", ...at])).toMatchObject({ status: 0 });
    await expectRefused(
      ["restore", "--id", "latest", ...at, ...reading],
      20,
      /is not encrypted/,
      /without an identity/,
    );
    const verified = await scene.run(["verify", ...at, ...reading]);
    expect(verified.status).toBe(20);
    expect(verified.stdout).toMatch(/not encrypted/);
    const { stdout, status } = await scene.run(["incremental", ...at, ...writing, ...reading]);
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/is not encrypted: this one is full/) as string,
    });
  });

  test("another passphrase than that of the set", async () => {
    await using other = await tempDirectory();
    const run = async (passphrase: string, ...args: string[]): Promise<CliResult> =>
      scene.run([...args, "--target", other.path], { env: { MQBACKUP_PASSPHRASE: passphrase } });
    expect(await run("five horses on a roof", "full")).toMatchObject({ status: 0 });
    expectFailure(await run("five horses on a root", "full"), {
      status: 12,
      error: /passphrase is not the one/,
      hint: /passphrase/,
    });
    expect(await run("five horses on a roof", "verify", "--records")).toMatchObject({ status: 0 });
  });

  test("a manifest that was changed, a volume of another backup, a key that is gone", async () => {
    const latest = (await scene.committed()).at(-1) ?? "";
    const place = (name: string): string => path.join(scene.target, "backups", full, name);
    const volume = await readFile(place("data-00001.tar.zst.age"));
    const spoil: readonly (readonly [string, Buffer | null])[] = [
      [
        "data-00001.tar.zst.age",
        await readFile(path.join(scene.target, "backups", latest, "data-00001.tar.zst.age")),
      ],
      ["data-00001.tar.zst.age", volume.subarray(0, -1)],
      ["key.age", null],
      ["key.age", await readFile(path.join(scene.target, "backups", latest, "key.age"))],
    ];
    for (const [name, bytes] of spoil) {
      await rename(place(name), place(`${name}.kept`));
      if (bytes !== null) await writeFile(place(name), bytes);
      expect(await scene.run(["verify", ...reading])).toMatchObject({ status: 20 });
      const restored = await scene.run(["restore", "--id", full, "--map", `${QUEUE}=again`, ...reading]);
      expect(restored.status).toBe(20);
      await rm(place(name), { force: true });
      await rename(place(`${name}.kept`), place(name));
    }
    expect(await scene.run(["verify", "--records", ...reading])).toMatchObject({ status: 0 });
  });
});

test("with hidden names no name is left in anything that is stored", async () => {
  await using other = await tempDirectory();
  const hiding = ["--encrypt-names", ...writing, "--target", other.path];
  expectFailure(await scene.run(["full", ...hiding]), {
    status: 2,
    error: /--encrypt-names needs --set/,
    hint: /readable/,
  });
  expectFailure(await scene.run(["full", "--encrypt-names", "--set", "s"]), {
    status: 2,
    error: /hides nothing/,
    hint: /--recipient/,
  });
  expect(await scene.run(["full", "--set", "nightly", ...hiding])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining(QUEUE) as string,
  });
  for (const file of await filesBelow(other.path)) {
    const text = `${file} ${(await readFile(path.join(other.path, file))).toString("latin1")}`;
    expect(text).not.toMatch(/zebra/);
    expect(text).not.toContain(scene.vhost.name);
  }
  const at = ["--target", other.path];
  expect((await scene.run(["show", "latest", ...at])).stdout).toMatch(/queue-00001/);
  expect((await scene.run(["show", "latest", ...at, ...reading])).stdout).toContain(QUEUE);
  expect(await scene.run(["verify", "--records", ...at, ...reading])).toMatchObject({ status: 0 });
});
