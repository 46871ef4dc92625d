import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { fileStore } from "../../../src/adapters/store/file-store.ts";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import { queueFolder, fingerprintsEntryName, recordsEntryName } from "../../../src/domain/entry-name.ts";
import { parseBackupId } from "../../../src/domain/backup-id.ts";
import { readFingerprints, readSegment } from "../../../src/repository/archive-reader.ts";
import { backupKey } from "../../../src/repository/backup-folder.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { END_OF_ARCHIVE } from "../../../src/repository/volume.ts";
import { DEFINITIONS, REPOSITORY, sampleBackup, writeBackup } from "../../fakes/sample-backup.ts";
import { tempDirectory } from "../../lab/temp.ts";

const run = promisify(execFile);

test("tar, zstd, jq and sha256sum open a backup without us", async () => {
  await using directory = await tempDirectory();
  const store = fileStore(directory.join("target"), { create: true });
  const catalog = await createCatalog(store, REPOSITORY);
  const manifest = await writeBackup(catalog, sampleBackup());
  const folder = directory.join("target/backups", manifest.id);
  const out = directory.path;
  expect(manifest.volumes.length).toBeGreaterThan(2);

  const names: string[] = [];
  for (const { name, sha256 } of [...manifest.volumes, manifest.index]) {
    const file = path.join(folder, name);
    await run("zstd", ["-q", "-t", file]);
    const listed = await run("tar", ["--zstd", "-tf", file]);
    expect(listed.stderr).toBe("");
    names.push(...listed.stdout.trim().split("\n"));
    const long = await run("tar", ["--zstd", "--numeric-owner", "--utc", "-tvf", file]);
    for (const line of long.stdout.trim().split("\n")) {
      expect(line).toMatch(/^-rw------- 0\/0 +\d+ 2026-11-21 19:32 /);
    }
    const extracted = await run("tar", ["--zstd", "-xf", file, "-C", out]);
    expect(extracted.stderr).toBe("");
    expect((await run("sha256sum", [file])).stdout).toContain(sha256);
  }
  expect(new Set(names).size).toBe(names.length);

  const expected: string[] = [];
  const codec = inlineCodec({ level: 1 });
  for (const queue of manifest.queues) {
    const place = queueFolder(queue.ordinal, queue.name);
    for (const [at, segment] of queue.segments.entries()) {
      const name = recordsEntryName(place, at + 1);
      expected.push(name);
      const plain = await readSegment({ store, codec }, manifest, queue, segment);
      const file = await readFile(path.join(out, name));
      expect(createHash("sha256").update(file).digest("hex")).toBe(
        createHash("sha256").update(plain).digest("hex"),
      );
    }
    for (const [at, entry] of queue.index.entries()) {
      const name = fingerprintsEntryName(place, at + 1);
      expected.push(name);
      const fingerprints = await readFingerprints({ store, codec }, manifest, entry);
      expect((await readFile(path.join(out, name))).equals(fingerprints)).toBe(true);
    }
  }
  expected.push("definitions/00001-%2F.json");
  expect(names.toSorted()).toEqual(expected.toSorted());
  expect(JSON.parse(await readFile(path.join(out, "definitions/00001-%2F.json"), "utf8"))).toEqual(
    DEFINITIONS,
  );

  const document = path.join(folder, "manifest.json");
  const jq = await run("jq", ["-r", '.queues[] | select(.name=="orders") | .messages', document]);
  expect(jq.stdout).toBe("30\n");
  const sum = await run("sh", ["-c", 'head -n -2 "$1" | sha256sum', "sh", document]);
  expect((await run("jq", ["-r", ".sha256", document])).stdout.trim()).toBe(sum.stdout.slice(0, 64));

  // One segment alone, cut out of its volume by hand.
  const [segment] = manifest.queues[1]?.segments ?? [];
  if (segment === undefined) throw new Error("no segment");
  const volume = path.join(folder, `data-${String(segment.volume).padStart(5, "0")}.tar.zst`);
  const script = 'tail -c +$(($2+1)) "$1" | head -c $3 | zstd -q -d | head -c $4 | sha256sum';
  const numbers = [segment.offset, segment.length, segment.plainBytes].map(String);
  const cut = await run("sh", ["-c", script, "sh", volume, ...numbers]);
  const records = await readFile(path.join(out, recordsEntryName(queueFolder(2, "../../etc/passwd"), 1)));
  expect(cut.stdout.slice(0, 64)).toBe(createHash("sha256").update(records).digest("hex"));
});

test("the end of an archive is 1024 zero bytes to zstd", async () => {
  await using directory = await tempDirectory();
  const file = directory.join("end.zst");
  await writeFile(file, END_OF_ARCHIVE);
  await run("zstd", ["-q", "-d", file]);
  expect((await readFile(directory.join("end"))).equals(Buffer.alloc(1024))).toBe(true);
});

test("every file of a backup has the name the manifest has of it", async () => {
  await using directory = await tempDirectory();
  const store = fileStore(directory.path);
  const manifest = await writeBackup(await createCatalog(store, REPOSITORY), sampleBackup());
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  const named = ["manifest.json", manifest.index.name, ...manifest.volumes.map(({ name }) => name)];
  const expected = named.map((name) => backupKey(parseBackupId(manifest.id), name));
  expect(keys).toEqual([...expected, "mqbackup-repository.json"].toSorted());
});
