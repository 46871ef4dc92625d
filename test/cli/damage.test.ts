import { rm, truncate } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { runCli, type CliResult } from "../lab/cli.ts";
import { drain } from "../lab/drain.ts";
import { readyCount } from "../lab/queues.ts";
import { repositoryCopy, type RepositoryCopy } from "../lab/repository.ts";
import { expectClean, expectFailure, newScene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";

/** What is damaged, and what `verify` must name. Places are those of the frozen fixture. */
const DAMAGE: readonly { what: string; damage: (copy: RepositoryCopy) => Promise<void>; named: RegExp }[] = [
  {
    what: "a byte of the repository document",
    damage: flip("/mqbackup-repository.json", 10),
    named: /mqbackup-repository\.json/,
  },
  { what: "a byte of the manifest", damage: flip("manifest.json", 700), named: /manifest\.json/ },
  { what: "a byte of the manifest's sum", damage: flip("manifest.json", -10), named: /manifest\.json/ },
  {
    what: "a byte of a frame's header",
    damage: flip("data-00001.tar.zst", 651),
    named: /data-00001\.tar\.zst.*orders.*segment 1/s,
  },
  {
    what: "a byte of a segment",
    damage: flip("data-00004.tar.zst", 150),
    named: /data-00004\.tar\.zst.*orders.*segment 2/s,
  },
  { what: "a byte of a tar header", damage: flip("data-00001.tar.zst", 20), named: /data-00001\.tar\.zst/ },
  {
    what: "a byte of the definitions",
    damage: flip("data-00001.tar.zst", 150),
    named: /data-00001\.tar\.zst/,
  },
  {
    what: "a byte of the archive's end",
    damage: flip("data-00002.tar.zst", -2),
    named: /data-00002\.tar\.zst/,
  },
  { what: "a byte of the index", damage: flip("index.tar.zst", 600), named: /index\.tar\.zst/ },
  { what: "a truncated volume", damage: cut("data-00003.tar.zst", 500), named: /data-00003\.tar\.zst/ },
  { what: "an empty volume", damage: cut("data-00003.tar.zst", 0), named: /data-00003\.tar\.zst/ },
  { what: "a missing volume", damage: remove("data-00004.tar.zst"), named: /data-00004\.tar\.zst/ },
  { what: "a missing index", damage: remove("index.tar.zst"), named: /index\.tar\.zst/ },
];

test.each(DAMAGE)("verify finds and names $what", async ({ damage, named }) => {
  await using copy = await repositoryCopy();
  await damage(copy);
  for (const level of [[], ["--records"]]) {
    const result = await run(copy, "verify", "--no-progress", ...level);
    expect(result).toMatchObject({ status: 20 });
    expect(result.stdout + result.stderr).toMatch(named);
  }
});

test("verify looks as deep as it is told, and says so", async () => {
  await using copy = await repositoryCopy();
  const seen = async (...flags: readonly string[]) => {
    const { status, stdout } = await run(copy, "verify", "--no-progress", "--json", ...flags);
    const { targets } = JSON.parse(stdout) as { targets: { backups: unknown[] }[] };
    const { level, samplePart, backups } = { level: "", samplePart: null, ...targets[0] };
    return { status, level, samplePart, backups };
  };
  const none = { segments: 0, messages: 0 };
  expect(await seen()).toMatchObject({ status: 0, level: "checksums", backups: [none] });
  expect(await seen("--quick")).toMatchObject({ level: "quick", backups: [{ ...none, readBytes: 0 }] });
  expect(await seen("--records")).toMatchObject({ level: "records", backups: [{ messages: 46 }] });
  expect(await seen("--sample", "1%")).toMatchObject({
    level: "sample",
    samplePart: 0.01,
    backups: [{ segments: 1 }],
  });

  await copy.flip("data-00004.tar.zst", 150);
  expect(await seen("--quick")).toMatchObject({ status: 0 });
  expect(await seen("--sample", "100%")).toMatchObject({ status: 20 });
  expectFailure(await run(copy, "verify", "--quick", "--records"), {
    status: 2,
    error: /--quick and --records contradict each other/,
    hint: /Keep one/,
  });
});

test("verify tells machines of damage, and cron of nothing else", async () => {
  await using copy = await repositoryCopy();
  await copy.flip("data-00004.tar.zst", 150);
  const json = await run(copy, "verify", "--json", "--no-progress");
  expect(json).toMatchObject({ status: 20, stderr: "" });
  expect(JSON.parse(json.stdout)).toMatchObject({
    status: 20,
    targets: [
      {
        target: copy.path,
        findings: [
          { severity: "damage", file: "data-00004.tar.zst", queue: { name: "orders" }, segment: 2 },
          { severity: "damage", file: "data-00004.tar.zst", queue: null },
        ],
      },
    ],
  });
  const quiet = await run(copy, "verify", "--quiet");
  expect(quiet).toMatchObject({ status: 20, stdout: "" });
  expect(quiet.stderr).toMatch(/data-00004\.tar\.zst.*orders/);
});

test("a sound repository is found to be so", async () => {
  await using copy = await repositoryCopy();
  expect(await run(copy, "verify")).toMatchObject({ status: 0 });
  expect(await run(copy, "verify", "--quiet")).toMatchObject({ status: 0, stdout: "", stderr: "" });
});

describe("a damaged manifest", () => {
  test("is named by whoever needs it, and listed as damaged", async () => {
    await using copy = await repositoryCopy();
    await copy.flip("manifest.json", 700);
    for (const args of [
      ["show", "latest"],
      ["cat", "latest"],
      ["restore", "--id", "latest"],
    ]) {
      expectFailure(await run(copy, ...args), {
        status: 20,
        error: new RegExp(`${copy.id}/manifest\\.json is damaged`),
        hint: /another copy/,
      });
    }
    const list = await run(copy, "list");
    expect(list).toMatchObject({ status: 3 });
    expect(list.stdout).toMatch(new RegExp(`^damaged ${copy.id}: `, "m"));
  });

  test("of a newer format is left alone", async () => {
    await using copy = await repositoryCopy();
    await copy.seal({ ...(await copy.manifest()), format: 99 });
    for (const args of [
      ["show", "latest"],
      ["cat", "latest"],
      ["restore", "--id", "latest"],
    ]) {
      expectFailure(await run(copy, ...args), {
        status: 1,
        error: /manifest\.json has format 99, .* up to 1/,
        hint: /version of mqbackup/,
      });
    }
    const verify = await run(copy, "verify", "--no-progress");
    expect(verify).toMatchObject({ status: 3 });
    expect(verify.stdout).toMatch(/manifest\.json.*format 99/);
  });
});

describe("a restore", () => {
  test("of a damaged segment publishes what is before it, and nothing of it", async () => {
    await using scene = await newScene(newestBroker());
    await using copy = await repositoryCopy();
    await copy.flip("data-00004.tar.zst", 150); // the second segment of queue orders
    const env = { MQBACKUP_TARGET: copy.path };
    const cat = await scene.run(["cat", "latest", "--queue", "orders"], { env });
    expect(cat).toMatchObject({ status: 20 });
    expect(cat.stdout.trimEnd().split("\n")).toHaveLength(5);
    expect(cat.stderr).toMatch(/^mqbackup: segment 2 of queue orders .* is damaged: .*\nhint: ./);

    const args = ["restore", "--id", "latest", "--queue", "orders", "--to-vhost", scene.vhost.name];
    expectFailure(await scene.run(args, { env }), {
      status: 20,
      error: /orders.*segment 2|segment 2.*orders/,
      hint: /./,
      stdout: /^orders in \S+ +failed +5 +30 /m,
      before: /^orders: failed/,
    });
    expect((await drain(scene.vhost, "orders")).length).toBe(5);
    await scene.expectNothingLeft();
  });

  test.each([
    { what: "a truncated volume", damage: cut("data-00004.tar.zst", 500) },
    { what: "a volume that is too long", damage: cut("data-00004.tar.zst", 5000) },
    { what: "a missing volume", damage: remove("data-00004.tar.zst") },
  ])("with $what publishes nothing at all", async ({ damage }) => {
    await using scene = await newScene(newestBroker());
    await using copy = await repositoryCopy();
    await damage(copy);
    const args = ["restore", "--id", "latest", "--queue", "orders", "--to-vhost", scene.vhost.name];
    expectFailure(await scene.run(args, { env: { MQBACKUP_TARGET: copy.path } }), {
      status: 20,
      error: /data-00004\.tar\.zst/,
      hint: /./,
    });
    await expect(readyCount(scene.vhost, "orders")).rejects.toThrow(/404/);
    await scene.expectNothingLeft();
  });
});

function flip(name: string, at: number): (copy: RepositoryCopy) => Promise<void> {
  return (copy) => copy.flip(name, at);
}

function cut(name: string, bytes: number): (copy: RepositoryCopy) => Promise<void> {
  return (copy) => truncate(copy.file(name), bytes);
}

function remove(name: string): (copy: RepositoryCopy) => Promise<void> {
  return (copy) => rm(copy.file(name));
}

/** Without a broker. */
async function run(copy: RepositoryCopy, ...args: readonly string[]): Promise<CliResult> {
  const env = { MQBACKUP_TARGET: copy.path, MQBACKUP_URL: "amqp://127.0.0.1:1" };
  const result = await runCli(args, { env });
  expectClean(result, "guest:guest");
  return result;
}
