import { rm } from "node:fs/promises";
import { expect, test } from "vitest";
import { fileStore } from "../../src/adapters/store/file-store.ts";
import { createCatalog } from "../../src/repository/catalog.ts";
import { FULL, LAST } from "../fakes/copy-lab.ts";
import { REPOSITORY } from "../fakes/sample-backup.ts";
import { writeChain } from "../fakes/sample-chain.ts";
import { flipInSegment } from "../lab/flip-byte.ts";
import { drain } from "../lab/drain.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue } from "../lab/queues.ts";
import { runAt } from "../lab/run-at.ts";
import { expectFailure, newScene } from "../lab/scene.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { tempDirectory, type TempDirectory } from "../lab/temp.ts";

async function twoCopies(): Promise<[TempDirectory, TempDirectory]> {
  const [one, two] = [await tempDirectory(), await tempDirectory()];
  await writeChain(await createCatalog(fileStore(one.path), REPOSITORY));
  await runAt([one.path, two.path], "copy", "--quiet");
  return [one, two];
}

test("a damaged byte at the first: read at the second, and told; at both: refused, naming both", async () => {
  const [a, b] = await twoCopies();
  await using one = a;
  await using two = b;
  const whole = await runAt([one.path], "cat", FULL);
  expect(whole).toMatchObject({ status: 0, stderr: "" });
  const volume = await flipInSegment(one.path, FULL);
  expect(await runAt([one.path], "cat", FULL)).toMatchObject({ status: 20 });
  const read = await runAt([one.path, two.path], "cat", FULL, "--quiet");
  expect(read).toMatchObject({ status: 0, stdout: whole.stdout });
  expect(read.stderr).toContain(`warning: ${volume} was read at ${two.path}, not at ${one.path}: `);
  expect(read.stderr.trim().split("\n")).toHaveLength(1);
  const verified = await runAt([one.path, two.path], "verify", "--quiet");
  expect(verified.status).toBe(20);
  const mends = `mqbackup copy --checksum --target ${two.path} --target ${one.path}`;
  expect(verified.stderr).toContain(`${FULL} is whole at ${two.path}: ${mends} mends it`);
  await flipInSegment(two.path, FULL);
  expect((await runAt([one.path, two.path], "verify")).stdout).not.toContain("is whole at");
  const failed = await runAt([one.path, two.path], "cat", FULL);
  expect(failed.status).toBe(20);
  expect(failed.stderr).toContain(`no target has ${volume} whole: at ${one.path}: `);
  expect(failed.stderr).toContain(`; at ${two.path}: `);
});

test("the first is empty, or not there at all: everything comes from the second", async () => {
  const [a, b] = await twoCopies();
  await using one = a;
  await using two = b;
  const { stdout } = await runAt([two.path], "cat", "latest");
  await rm(one.join("backups"), { recursive: true });
  await rm(one.join("mqbackup-repository.json"));
  for (const first of [one.path, one.join("none")]) {
    const read = await runAt([first, two.path], "cat", "latest");
    expect(read).toMatchObject({ status: 0, stdout });
    expect(read.stderr).toMatch(/^mqbackup: warning: [^\n]*\n$/);
    const shown = await runAt([first, two.path], "show", "latest", "--json");
    expect(shown.status).toBe(0);
    expect(JSON.parse(shown.stdout)).toMatchObject({ id: LAST });
    expect(JSON.parse(shown.stderr)).toMatchObject({ event: "warning" });
  }
  expectFailure(await runAt([one.join("none"), one.join("neither")], "cat", "latest"), {
    status: 5,
    error: /none does not exist; at .*neither does not exist/,
    hint: /mount/,
  });
});

test("a restore into a broker takes a damaged volume from the other copy, and says so", async () => {
  await using scene = await newScene(newestBroker());
  await using two = await tempDirectory();
  await declareQueue(scene.vhost, "orders", "quorum");
  await fill(scene.vhost, "orders", 300);
  const both = { env: { MQBACKUP_TARGET: `${scene.target},${two.path}` } };
  expect(await scene.run(["full", "--quiet"], both)).toMatchObject({ status: 0, stderr: "" });
  const [id = ""] = await scene.committed();
  const volume = await flipInSegment(scene.target, id);
  const into = ["restore", "--id", id, "--map", "orders=again", "--json", "--quiet"];
  expect(await scene.run(into)).toMatchObject({ status: 20 });
  const restored = await scene.run([...into, "--resume", "--read-back"], both);
  expect(restored.status).toBe(0);
  const { fallbacks, queues } = JSON.parse(restored.stdout);
  expect(fallbacks).toMatchObject([
    { key: volume, from: scene.target, to: two.path, code: "ARCHIVE_DAMAGED" },
  ]);
  expect(queues).toMatchObject([{ outcome: "restored", messages: 300, readBack: { kind: "same" } }]);
  expect(JSON.parse(restored.stderr)).toMatchObject({ event: "warning" });
  expect(await drain(scene.vhost, "again")).toHaveLength(300);
});
