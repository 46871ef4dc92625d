import { rm } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { fileStore } from "../../src/adapters/store/file-store.ts";
import type { Manifest } from "../../src/domain/manifest.ts";
import { createCatalog } from "../../src/repository/catalog.ts";
import { REPOSITORY } from "../fakes/sample-backup.ts";
import { writeChain, type SampleChain } from "../fakes/sample-chain.ts";
import { drain } from "../lab/drain.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { filesBelow } from "../lab/temp.ts";

const NEW = "20261121-195201F";

async function chainAt(target: string): Promise<SampleChain> {
  return writeChain(await createCatalog(fileStore(target), REPOSITORY));
}

/** What `cat` prints of a backup. */
async function linesOf(scene: Scene, id: string): Promise<readonly string[]> {
  const result = await scene.run(["cat", id]);
  expect(result).toMatchObject({ status: 0, stderr: "" });
  return result.stdout.trimEnd().split("\n");
}

/** By hand, as the README says: the manifest first. */
async function remove(target: string, ...manifests: readonly Manifest[]): Promise<void> {
  for (const { id } of manifests) {
    await rm(path.join(target, "backups", id, "manifest.json"));
    await rm(path.join(target, "backups", id), { recursive: true });
  }
}

test("an incremental becomes a full backup, the old ones go, and it restores what was there", async () => {
  await using scene = await newScene(newestBroker());
  const { full, middle, last } = await chainAt(scene.target);
  const lines = await linesOf(scene, last.id);

  const before = await filesBelow(scene.target);
  const plan = await scene.run(["compact", "latest", "--dry-run"]);
  expect(plan).toMatchObject({ status: 0 });
  expect(plan.stdout).toMatch(new RegExp(`^backup ${last.id} would be made a full one:`));
  for (const { id } of [full, middle, last]) expect(plan.stdout).toMatch(new RegExp(`^${id} +\\d+ `, "m"));
  expect(await filesBelow(scene.target)).toEqual(before);

  const made = await scene.run(["compact", "latest", "--json", "--quiet"]);
  expect(made).toMatchObject({ status: 0, stderr: "" });
  expect(JSON.parse(made.stdout)).toMatchObject({
    status: 0,
    dryRun: false,
    source: last.id,
    messages: lines.length,
    reads: [{ backup: full.id }, { backup: middle.id }, { backup: last.id }],
    backup: { id: NEW, kind: "full", base: null, compactedFrom: last.id },
  });

  await remove(scene.target, full, middle, last);
  expect(await scene.committed()).toEqual([NEW]);
  expect(await scene.run(["verify", "--records"])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("1 backup verified, no damage found"),
  });
  expect(await linesOf(scene, "latest")).toEqual(lines);
  expect((await scene.run(["show", "latest"])).stdout).toMatch(
    new RegExp(`^compacted from +${last.id}$`, "m"),
  );

  const restore = ["restore", "--id", "latest", "--queue", "q", "--to-vhost", scene.vhost.name];
  expect(await scene.run([...restore, "--definitions", "missing", "--read-back"])).toMatchObject({
    status: 0,
  });
  const bodies = (await drain(scene.vhost, "q")).map(({ body }) => Buffer.from(body).toString());
  const wanted = lines.map((line) => JSON.parse(line) as { queue: string; body: string });
  expect(bodies).toEqual(wanted.filter(({ queue }) => queue === "q").map(({ body }) => body));
  await scene.expectNothingLeft();
});

test("what cannot be compacted is refused, and nothing is left", async () => {
  await using scene = await newScene(newestBroker());
  const { full, middle } = await chainAt(scene.target);
  expectFailure(await scene.run(["compact", full.id]), {
    status: 2,
    error: /is a full one.*nothing to compact/,
    hint: /Name an incremental/,
  });
  await rm(path.join(scene.target, "backups", middle.id, "data-00001.tar.zst"));
  const before = await filesBelow(scene.target);
  expectFailure(await scene.run(["compact", "latest", "--no-progress"]), {
    status: 20,
    error: /data-00001\.tar\.zst/,
    hint: /verify/,
  });
  expect(await filesBelow(scene.target)).toEqual(before);
  expectFailure(await scene.run(["compact", "20200101"]), { status: 10, error: /20200101/, hint: /list/ });
});

test("as a crontab has it: compact, then prune, and nothing is said when all is well", async () => {
  await using scene = await newScene(newestBroker());
  const { last } = await chainAt(scene.target);
  const lines = await linesOf(scene, last.id);
  const silent = { status: 0, stdout: "", stderr: "" };
  expect(await scene.run(["compact", "latest", "--quiet"])).toMatchObject(silent);
  expect(await scene.run(["prune", "--keep-full", "1", "--confirm", "--quiet"])).toMatchObject(silent);
  expect(await scene.committed()).toEqual([NEW]);
  expect(await scene.run(["verify", "--records", "--quiet"])).toMatchObject(silent);
  expect(await linesOf(scene, "latest")).toEqual(lines);
});
