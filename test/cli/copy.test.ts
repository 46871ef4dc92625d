import { readFile, rm, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { fileStore } from "../../src/adapters/store/file-store.ts";
import { createCatalog } from "../../src/repository/catalog.ts";
import { encodeDocument } from "../../src/repository/sealed-document.ts";
import { FULL, LAST, MIDDLE } from "../fakes/copy-lab.ts";
import { REPOSITORY } from "../fakes/sample-backup.ts";
import { writeChain } from "../fakes/sample-chain.ts";
import { flipByte } from "../lab/flip-byte.ts";
import { runAt } from "../lab/run-at.ts";
import { committedAt, expectFailure } from "../lab/scene.ts";
import { filesBelow, tempDirectory, type TempDirectory } from "../lab/temp.ts";

async function chain(): Promise<TempDirectory> {
  const directory = await tempDirectory();
  await writeChain(await createCatalog(fileStore(directory.path), REPOSITORY));
  return directory;
}

async function verifies(target: string): Promise<void> {
  expect(await runAt([target], "verify", "--records", "--quiet")).toMatchObject({
    status: 0,
    stdout: "",
    stderr: "",
  });
}

test("one target, the same twice, one that is not there: refused, with status and hint", async () => {
  await using from = await chain();
  await using to = await tempDirectory();
  expectFailure(await runAt([from.path], "copy"), {
    status: 2,
    error: /copy needs two targets/,
    hint: /<from>/,
  });
  expectFailure(await runAt([from.path, from.path], "copy"), { status: 2, error: /twice/, hint: /once/ });
  expectFailure(await runAt([from.path, to.join("none")], "copy"), {
    status: 5,
    error: /none does not exist/,
    stdout: /broken off: target /,
    hint: /mount/,
  });
  expectFailure(await runAt([to.path, from.path], "copy"), {
    status: 10,
    error: /no repository/,
    hint: /full/,
  });
});

test("a dry run says what would be copied; copy does it, to every further target, and verify finds nothing", async () => {
  await using from = await chain();
  await using to = await tempDirectory();
  await using third = await tempDirectory();
  const before = await filesBelow(from.path);
  const plan = await runAt([from.path, to.path], "copy", "--dry-run");
  expect(plan).toMatchObject({ status: 0, stderr: "" });
  expect(plan.stdout).toMatch(new RegExp(`^${FULL} +would be copied, \\d+ files, [\\d.]+ K?i?B$`, "m"));
  expect(plan.stdout).toMatch(/^3 to copy$/m);
  expect(plan.stdout).toMatch(/^nothing was copied/m);
  expect(await filesBelow(to.path)).toEqual([]);

  const done = await runAt([from.path, to.path, third.path], "copy");
  expect(done.status).toBe(0);
  expect(done.stdout).toContain(`${from.path} -> ${third.path}`);
  expect(done.stdout).toMatch(/^3 copied$/m);
  expect(done.stderr).toContain(`${LAST} at ${to.path}: copied`);
  const objects = before.filter((file) => file.startsWith("backups/"));
  for (const target of [to, third]) {
    expect((await filesBelow(target.path)).filter((file) => file.startsWith("backups/"))).toEqual(objects);
    await verifies(target.path);
  }
  expect(await filesBelow(from.path)).toEqual(before);
  expect(await runAt([from.path, to.path, third.path], "copy", "--quiet")).toMatchObject({
    status: 0,
    stdout: "",
    stderr: "",
  });
});

test("a crash between the two commits of a backup is ended", async () => {
  await using from = await chain();
  await using to = await tempDirectory();
  await runAt([from.path, to.path], "copy", "--quiet");
  // As the killed run has left it: every file there, and its reservation.
  const folder = `backups/${LAST}`;
  const manifest = JSON.parse(await readFile(from.join(`${folder}/manifest.json`), "utf8"));
  await rm(to.join(`${folder}/manifest.json`));
  await writeFile(
    to.join(`${folder}/begun.json`),
    encodeDocument({ format: 1, id: LAST, begunAt: manifest.startedAt }),
  );
  expect(await committedAt(to.path)).toEqual([FULL, MIDDLE]);
  const done = await runAt([from.path, to.path], "copy", "latest", "--json");
  expect(done.status).toBe(0);
  const { targets } = JSON.parse(done.stdout);
  expect(targets[0].backups.at(-1)).toMatchObject({ id: LAST, action: "copy", files: [], done: true });
  for (const target of [from, to]) {
    expect(await committedAt(target.path)).toEqual([FULL, MIDDLE, LAST]);
    await verifies(target.path);
  }
  expect((await filesBelow(to.path)).filter((file) => file.endsWith("begun.json"))).toEqual([]);
});

test("what is damaged at a copy is replaced, and what is damaged at the source is copied nowhere", async () => {
  await using from = await chain();
  await using to = await tempDirectory();
  await runAt([from.path, to.path], "copy", "--quiet");
  const volume = `backups/${FULL}/data-00001.tar.zst`;
  await flipByte(to.join(volume));
  await rm(to.join(`backups/${MIDDLE}/index.tar.zst`));
  expect(await runAt([to.path], "verify", "--quiet")).toMatchObject({ status: 20 });
  const sizes = await runAt([from.path, to.path], "copy", "--no-progress");
  expect(sizes.stdout).toMatch(new RegExp(`^${MIDDLE} +repaired: index.tar.zst was missing`, "m"));
  expect(sizes.stdout).toMatch(/^1 repaired, 2 there already$/m);
  const sums = await runAt([from.path, to.path], "copy", "--checksum", "--no-progress");
  expect(sums.stdout).toMatch(new RegExp(`^${FULL} +repaired: data-00001.tar.zst was damaged`, "m"));
  await verifies(to.path);

  await flipByte(from.join(volume));
  await using third = await tempDirectory();
  const left = await runAt([from.path, third.path], "copy", "--quiet");
  expect(left).toMatchObject({ status: 20, stdout: "" });
  expect(left.stderr).toMatch(new RegExp(`^left: ${FULL} at .*: the source is damaged: ${volume} at `, "m"));
  expect(left.stderr).toMatch(new RegExp(`^left: ${LAST} at .*: it needs ${FULL}`, "m"));
  expect(await committedAt(third.path)).toEqual([]);
  // And back from the copy.
  expect(await runAt([to.path, from.path], "copy", "--checksum", "--quiet")).toMatchObject({ status: 0 });
  await verifies(from.path);
});

test("a run tells how it went: metrics", async () => {
  await using from = await chain();
  await using to = await tempDirectory();
  const file = to.join("metrics.prom");
  await runAt([from.path, to.path], "copy", "--quiet", "--metrics-file", file);
  const text = await readFile(file, "utf8");
  expect(text).toContain('mqbackup_copy_backups{command="copy",outcome="copied"} 3');
  expect(text).toMatch(/^mqbackup_copy_bytes\{command="copy"\} [1-9]/m);
});
