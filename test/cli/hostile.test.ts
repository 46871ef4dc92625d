import { existsSync } from "node:fs";
import { readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { pack } from "tar-stream";
import { compress } from "zstd-napi";
import { describe, expect, test } from "vitest";
import type { Manifest } from "../../src/domain/manifest.ts";
import { runCli, type CliResult } from "../lab/cli.ts";
import { faultHook } from "../lab/fault-hook.ts";
import { repositoryCopy, sha256Of, type Mutable, type RepositoryCopy } from "../lab/repository.ts";
import { expectClean } from "../lab/scene.ts";
import { filesBelow } from "../lab/temp.ts";

const MiB = 1 << 20;
type Forged = Mutable<Manifest>;

/** Each is sealed as if mqbackup itself had written it. */
const FORGED: readonly { what: string; forge: (manifest: Forged) => void }[] = [
  {
    what: "a volume's path that leads out",
    forge: (m) => void (volumeOf(m).name = "../../../../../etc/passwd"),
  },
  { what: "an absolute path", forge: (m) => void (volumeOf(m).name = "/etc/passwd") },
  { what: "a path with a zero byte", forge: (m) => void (volumeOf(m).name = "data-00001.tar.zst\0") },
  { what: "an index that leads out", forge: (m) => void (m.index.name = "../../mqbackup-repository.json") },
  { what: "an id that leads out", forge: (m) => void (m.id = "../../x") },
  { what: "another backup's id", forge: (m) => void (m.id = "20261121-193201F") },
  {
    what: "a range kept by a backup that leads out",
    forge: (m) =>
      void (queueOf(m).content = [{ kind: "kept", backup: "../../etc", ordinal: 1, first: 0, count: 30 }]),
  },
  { what: "a segment behind the volume's end", forge: (m) => void (segmentOf(m).offset = 2 ** 40) },
  { what: "a length of 2^53", forge: (m) => void (segmentOf(m).length = 2 ** 53) },
  { what: "a negative offset", forge: (m) => void (segmentOf(m).offset = -1) },
  { what: "an offset that is no whole number", forge: (m) => void (segmentOf(m).offset = 651.5) },
  { what: "four billion records", forge: (m) => void (segmentOf(m).records = 2 ** 32) },
  { what: "a segment of a petabyte", forge: (m) => void (segmentOf(m).plainBytes = 2 ** 50) },
  { what: "a volume that does not exist", forge: (m) => void (segmentOf(m).volume = 1_000_000) },
  {
    what: "no queues at all, but a member of another kind",
    forge: (m) => void Object.assign(m, { queues: "none" }),
  },
  { what: "numbers that are text", forge: (m) => void Object.assign(segmentOf(m), { offset: "651" }) },
  {
    what: "a prototype",
    forge: (m) => void Object.assign(m, JSON.parse('{"queues":[{"__proto__":{"name":"x"}}]}')),
  },
];

test.each(FORGED)("a manifest with $what is refused", async ({ forge }) => {
  await using copy = await repositoryCopy();
  const manifest = await copy.manifest();
  forge(manifest);
  await copy.seal(manifest);
  for (const args of [["verify"], ["cat", "latest", "--queue", "orders"]]) {
    const { result, peakBytes } = await runMeasured(copy, args);
    expect(result, args[0]).toMatchObject({ status: 20 });
    expect(result.stdout + result.stderr).toMatch(/manifest\.json|data-00001\.tar\.zst/);
    expect(result.stdout + result.stderr).not.toMatch(/root:/);
    expect(result.stderr).toMatch(args[0] === "cat" ? /^mqbackup: .*\nhint: .*\n$/ : /^/);
    expect(peakBytes).toBeLessThan(250 * MiB);
  }
});

describe("a frame that unpacks to more than it says", () => {
  // 512 MiB of zeros, which take 16 KiB.
  const bomb = compress(Buffer.alloc(512 * MiB));

  test.each([
    { what: "as a segment of the size it should have", plainBytes: null },
    { what: "as a segment of its true size, for a handful of records", plainBytes: 512 * MiB },
  ])("$what", async ({ plainBytes }) => {
    await using copy = await repositoryCopy();
    await replaceSegment(copy, bomb, plainBytes);
    for (const args of [
      ["verify", "--records"],
      ["cat", "latest", "--queue", "orders"],
    ]) {
      const { result, peakBytes } = await runMeasured(copy, args);
      expect(result, args[0]).toMatchObject({ status: 20 });
      expect(result.stdout + result.stderr).toMatch(/segment 1.*orders|orders.*segment 1/);
      expect(peakBytes).toBeLessThan(plainBytes === null ? 250 * MiB : 1200 * MiB);
    }
  });

  test("as the volume's end", async () => {
    await using copy = await repositoryCopy();
    const volume = await readFile(copy.file("data-00001.tar.zst"));
    await replaceVolume(copy, Buffer.concat([volume.subarray(0, -11), bomb]));
    const { result, peakBytes } = await runMeasured(copy, ["verify", "--records"]);
    // Nothing is behind the last entry that anybody would miss.
    expect(result).toMatchObject({ status: 0 });
    expect(peakBytes).toBeLessThan(250 * MiB);
  });
});

test("a tar entry whose name leads out is read by its place, not by its name", async () => {
  await using copy = await repositoryCopy();
  const manifest = await copy.manifest();
  const segment = segmentOf(manifest);
  const volume = await readFile(copy.file("data-00001.tar.zst"));
  const headerAt = volume.lastIndexOf(Buffer.from("28b52ffd", "hex"), segment.offset - 1);
  const header = compress(await tarHeader("../../../../../../tmp/mqbackup-lab-evil", segment.plainBytes));
  const changed = Buffer.concat([volume.subarray(0, headerAt), header, volume.subarray(segment.offset)]);
  segment.offset = headerAt + header.length;
  await replaceVolume(copy, changed, manifest);
  const before = await filesBelow(copy.path);
  const result = await run(copy, "cat", "latest", "--queue", "orders");
  expect(result).toMatchObject({ status: 0 });
  expect(result.stdout.trimEnd().split("\n")).toHaveLength(30);
  expect((await run(copy, "verify", "--records")).status).toBe(0);
  expect(existsSync("/tmp/mqbackup-lab-evil")).toBe(false);
  expect(await filesBelow(copy.path)).toEqual(before);
});

test("documents larger than any are refused without being read", async () => {
  for (const name of ["/mqbackup-repository.json", "manifest.json"]) {
    await using copy = await repositoryCopy();
    await truncate(copy.file(name), 6 * 1024 * MiB);
    for (const args of [["verify"], ["show", "latest"]]) {
      const { result, peakBytes } = await runMeasured(copy, args);
      expect(result, `${args[0]} ${name}`).toMatchObject({ status: 20 });
      expect(result.stdout + result.stderr).toContain(name.replace("/", ""));
      expect(peakBytes).toBeLessThan(600 * MiB);
    }
  }
});

test("a link in the place of a file is not followed", async () => {
  await using copy = await repositoryCopy();
  await using elsewhere = await repositoryCopy();
  await writeFile(elsewhere.join("passwd"), "root:x:0:0");
  for (const name of ["data-00001.tar.zst", "manifest.json"]) {
    await rm(copy.file(name));
    await symlink(elsewhere.join("passwd"), copy.file(name));
    const result = await run(copy, "cat", "latest", "--queue", "orders");
    expect(result.status).not.toBe(0);
    expect(result.stdout + result.stderr).not.toContain("root:");
    expect(result.stderr).toMatch(/^mqbackup: .*\nhint: /m);
  }
});

test("names that would do something to a terminal are shown as what they are", async () => {
  await using copy = await repositoryCopy();
  const manifest = await copy.manifest();
  queueOf(manifest).name = "\u001B[2J\u001B]0;owned\u0007orders\nbackup committed";
  manifest.set = "set\u001B[31m";
  manifest.broker.version = "4\u009B31m";
  await copy.seal(manifest);
  for (const args of [["list"], ["show", "latest"], ["verify"]]) {
    const result = await run(copy, ...args);
    // eslint-disable-next-line no-control-regex
    expect(result.stdout + result.stderr).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/);
  }
});

async function tarHeader(name: string, size: number): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name, size });
  for await (const block of archive) return Buffer.from(block as Uint8Array);
  throw new Error("no header");
}

function queueOf(manifest: Forged) {
  const [queue] = manifest.queues;
  if (queue === undefined) throw new Error("the fixture has queues");
  return queue;
}

/** The first of queue orders, in the first volume. */
function segmentOf(manifest: Forged) {
  const [segment] = queueOf(manifest).segments;
  if (segment === undefined) throw new Error("the fixture has segments");
  return segment;
}

function volumeOf(manifest: Forged) {
  const [volume] = manifest.volumes;
  if (volume === undefined) throw new Error("the fixture has volumes");
  return volume;
}

/** Another frame in the place of the first segment, with sums as they should be. */
async function replaceSegment(copy: RepositoryCopy, frame: Buffer, plainBytes: number | null): Promise<void> {
  const manifest = await copy.manifest();
  const segment = segmentOf(manifest);
  const volume = await readFile(copy.file("data-00001.tar.zst"));
  const changed = Buffer.concat([
    volume.subarray(0, segment.offset),
    frame,
    volume.subarray(segment.offset + segment.length),
  ]);
  Object.assign(segment, {
    length: frame.length,
    sha256: sha256Of(frame),
    ...(plainBytes !== null && { plainBytes }),
  });
  await replaceVolume(copy, changed, manifest);
}

async function replaceVolume(copy: RepositoryCopy, bytes: Buffer, manifest?: Forged): Promise<void> {
  const changed = manifest ?? (await copy.manifest());
  await writeFile(copy.file("data-00001.tar.zst"), bytes);
  Object.assign(volumeOf(changed), { bytes: bytes.length, sha256: sha256Of(bytes) });
  await copy.seal(changed);
}

async function runMeasured(
  copy: RepositoryCopy,
  args: readonly string[],
): Promise<{ readonly result: CliResult; readonly peakBytes: number }> {
  await using hook = await faultHook();
  const result = await run(copy, ...args, { env: hook.env });
  return { result, peakBytes: hook.peakBytes() };
}

async function run(copy: RepositoryCopy, ...args: readonly (string | { env: object })[]): Promise<CliResult> {
  const words = args.filter((arg) => typeof arg === "string");
  const more = args.find((arg) => typeof arg === "object")?.env ?? {};
  const result = await runCli(words, { env: { MQBACKUP_TARGET: copy.path, ...more } });
  expectClean(result, "s3cr3t-planted");
  return result;
}
