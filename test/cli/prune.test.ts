import { mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { fileStore } from "../../src/adapters/store/file-store.ts";
import { createCatalog } from "../../src/repository/catalog.ts";
import { message, messages, REPOSITORY, writeBackup, type SampleBackup } from "../fakes/sample-backup.ts";
import { runAt } from "../lab/run-at.ts";
import { committedAt, expectFailure } from "../lab/scene.ts";
import { filesBelow, tempDirectory, type TempDirectory } from "../lab/temp.ts";

const F1 = "20260901-020000F";
const I1 = `${F1}_20260902-020000I`;
const I2 = `${F1}_20260903-020000I`;
const F2 = "20260908-020000F";

/** A chain of three, of which the last keeps messages of the first alone, and a full. */
async function chain(): Promise<TempDirectory> {
  const directory = await tempDirectory();
  const catalog = await createCatalog(fileStore(directory.path), REPOSITORY);
  const backup = async (
    day: string,
    records: SampleBackup["queues"][0]["records"],
    base?: SampleBackup["base"],
  ) => {
    const now = new Date(`2026-09-${day}T02:00:00Z`);
    const sample = { now, queues: [{ name: "q", records }], ...(base ? { base } : {}) };
    return { sample, manifest: await writeBackup(catalog, sample) };
  };
  const all = messages(30);
  const full = await backup("01", all);
  const second = await backup("02", [...all.slice(10), message(100)], full);
  await backup("03", [...all.slice(20), message(200)], second);
  await backup("08", messages(5));
  return directory;
}

test("nothing said of what to keep, or nonsense: refused, and nothing touched", async () => {
  await using target = await chain();
  expectFailure(await runAt([target.path], "prune", "--confirm"), {
    status: 2,
    error: /what prune shall keep is not said/,
    hint: /--keep-daily/,
  });
  for (const [flag, value] of [
    ["--keep-last", "0"],
    ["--keep-daily", "-1"],
    ["--keep-within", "14"],
    ["--keep-within", "0s"],
  ] as const)
    expect(await runAt([target.path], "prune", flag, value, "--confirm")).toMatchObject({
      status: 2,
      stdout: "",
    });
  expect(await committedAt(target.path)).toEqual([F1, I1, I2, F2]);
});

test("the plan is printed with a reason for each, and carried out only when confirmed", async () => {
  await using target = await chain();
  const policy = ["--keep-last", "2", "--keep-monthly", "3"];
  const before = await filesBelow(target.path);
  const plan = await runAt([target.path], "prune", ...policy);
  expect(plan).toMatchObject({ status: 0, stderr: "" });
  expect(plan.stdout).toMatch(/^set sample$/m);
  expect(plan.stdout).toMatch(new RegExp(`^${F1} .* keep +20260903-020000I keeps 10 messages in it$`, "m"));
  expect(plan.stdout).toMatch(new RegExp(`^${I1} .* remove +no rule keeps it$`, "m"));
  expect(plan.stdout).toMatch(new RegExp(`^${I2} .* keep +last 2 of 2$`, "m"));
  expect(plan.stdout).toMatch(new RegExp(`^${F2} .* keep +last 1 of 2, monthly 2026-09$`, "m"));
  expect(plan.stdout).toMatch(/^nothing was removed: do it with --confirm$/m);
  expect(await filesBelow(target.path)).toEqual(before);

  const done = await runAt([target.path], "prune", ...policy, "--confirm", "--no-progress");
  expect(done).toMatchObject({ status: 0, stderr: "" });
  expect(done.stdout).toMatch(new RegExp(`^${I1} .* removed `, "m"));
  expect(done.stdout).toMatch(/^removed 1 backup: [\d.]+ K?i?B freed$/m);
  expect(await filesBelow(target.path)).toEqual(before.filter((file) => !file.includes(I1)));
  expect(await runAt([target.path], "verify", "--quiet")).toMatchObject({
    status: 0,
    stdout: "",
    stderr: "",
  });
  const cat = await runAt([target.path], "cat", I2, "--queue", "q");
  expect(cat.stdout.trim().split("\n")).toHaveLength(11);
});

test("a mark protects, until it is taken away", async () => {
  await using target = await chain();
  expect((await runAt([target.path], "mark", "20260902")).stdout).toBe(
    `backup ${I1} is marked at ${target.path}\n`,
  );
  expect((await runAt([target.path], "mark", I1)).stdout).toContain("was marked already");
  await runAt([target.path], "prune", "--keep-last", "1", "--confirm", "--quiet");
  expect(await committedAt(target.path)).toEqual([F1, I1, F2]);
  expect((await runAt([target.path], "unmark", I1)).stdout).toContain("is not marked any more");
  expect(await runAt([target.path], "prune", "--keep-last", "1", "--confirm", "--quiet")).toMatchObject({
    status: 0,
    stdout: "",
    stderr: "",
  });
  expect(await committedAt(target.path)).toEqual([F2]);
});

test("orphans older than a day are swept, and what is not ours stays", async () => {
  await using target = await chain();
  const old = new Date(Date.now() - 25 * 3_600_000);
  const lay = async (file: string, at: Date): Promise<void> => {
    const whole = target.join("backups", file);
    await mkdir(path.dirname(whole), { recursive: true });
    await writeFile(whole, "x");
    await utimes(whole, at, at);
  };
  await lay("20260801-020000F/data-00001.tar.zst", old);
  await lay("20260801-020000F/begun.json", old);
  await lay("20260802-020000F/begun.json", new Date());
  await lay(`${F1}/begun.json`, old);
  await lay(`${F1}/why.txt`, old);
  const before = await filesBelow(target.path);
  const result = await runAt(
    [target.path],
    "prune",
    "--keep-last",
    "9",
    "--confirm",
    "--json",
    "--no-progress",
  );
  expect(result).toMatchObject({ status: 0, stderr: "" });
  expect(JSON.parse(result.stdout)).toMatchObject({
    status: 0,
    confirmed: true,
    targets: [
      {
        target: target.path,
        orphans: [
          {
            id: "20260801-020000F",
            committed: false,
            files: ["begun.json", "data-00001.tar.zst"],
            removed: true,
          },
          { id: F1, committed: true, files: ["begun.json"], bytes: 1, removed: true },
        ],
        unfinished: ["20260802-020000F"],
        foreign: [`backups/${F1}/why.txt`],
        plannedBytes: 3,
        freedBytes: 3,
        failure: null,
      },
    ],
  });
  const swept = ["20260801-020000F/begun.json", "20260801-020000F/data-00001.tar.zst", `${F1}/begun.json`];
  const gone = swept.map((file) => `backups/${file}`);
  expect(await filesBelow(target.path)).toEqual(before.filter((file) => !gone.includes(file)));
});

test("a manifest that cannot be read forbids it all, and the target before it is told of", async () => {
  await using first = await chain();
  await using second = await chain();
  const manifest = second.join("backups", F2, "manifest.json");
  await writeFile(manifest, (await readFile(manifest, "utf8")).replace("sample", "simple"));
  const result = await runAt(
    [first.path, second.path],
    "prune",
    "--keep-last",
    "1",
    "--confirm",
    "--no-progress",
  );
  expectFailure(result, {
    status: 20,
    error: new RegExp(`what may be removed cannot be known: backups/${F2}/manifest\\.json is damaged`),
    hint: /by hand/,
    stdout: /^removed 3 backups/m,
  });
  expect(await committedAt(first.path)).toEqual([F2]);
  expect(await committedAt(second.path)).toEqual([F1, I1, I2, F2]);
});
