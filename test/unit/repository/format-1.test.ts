import { ALL_MESSAGES } from "../../../src/domain/sequence-range.ts";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { fileStore } from "../../../src/adapters/store/file-store.ts";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import { readDefinitions, readFingerprints, readSegment } from "../../../src/repository/archive-reader.ts";
import { cat } from "../../../src/usecases/cat.ts";
import { list } from "../../../src/usecases/list.ts";
import { show } from "../../../src/usecases/show.ts";
import { verified } from "../../fakes/verified.ts";
import { writeFormat1 } from "../../fakes/format-1.ts";
import { tempDirectory } from "../../lab/temp.ts";

/** Frozen: whatever becomes of the code, this repository must be read as it always was. */
const FIXTURE = path.resolve(import.meta.dirname, "../../../fixtures/format-1");
const REPOSITORY = path.join(FIXTURE, "repository");
const codec = inlineCodec({ level: 3 });

const anew = process.env["MQBACKUP_WRITE_FIXTURE"] ?? "";

test.runIf(anew !== "")("the repository is made anew where MQBACKUP_WRITE_FIXTURE says", async () => {
  const directory = path.join(anew, "repository");
  await writeFormat1(directory);
  const lines = await linesOf(directory);
  expect(lines).not.toBe("");
  await writeFile(path.join(anew, "messages.jsonl"), lines);
});

async function linesOf(directory: string): Promise<string> {
  const request = {
    backup: "latest",
    selects: () => true,
    range: ALL_MESSAGES,
    filter: null,
    skip: 0,
    limit: null,
    body: "text" as const,
  };
  let lines = "";
  for await (const view of cat({ store: fileStore(directory), codec }, request))
    lines += `${JSON.stringify(view)}\n`;
  return lines;
}

test("a repository of format 1 is listed", async () => {
  const { repositoryId, backups, damaged } = await list({ store: fileStore(REPOSITORY) }, { set: null });
  expect(repositoryId).toBe("6f2c1a52-8f0e-4f0c-9d3b-0d6a3c1f5e77");
  expect(damaged).toEqual([]);
  expect(backups).toMatchObject([
    {
      id: "20261121-193200F",
      vhosts: ["/", "other/vhost"],
      queues: { complete: 5, partial: 1, skipped: 1 },
      measures: { messages: 46 },
    },
  ]);
});

test("a repository of format 1 is shown", async () => {
  const file = path.join(REPOSITORY, "backups/20261121-193200F/manifest.json");
  const written: unknown = JSON.parse(await readFile(file, "utf8"));
  const { manifest: shown } = await show({ store: fileStore(REPOSITORY) }, { backup: "latest" });
  expect({ ...shown, sha256: expect.any(String) }).toEqual(written);
});

test("a repository of format 1 verifies", async () => {
  const { backups, findings } = await verified(fileStore(REPOSITORY));
  expect(findings).toEqual([]);
  expect(backups).toMatchObject([{ messages: 46, problems: 0 }]);
});

test("the messages of a repository of format 1 are those they were", async () => {
  expect(await linesOf(REPOSITORY)).toBe(await readFile(path.join(FIXTURE, "messages.jsonl"), "utf8"));
});

test("format 1 is still written as it was, compression aside", async () => {
  await using directory = await tempDirectory();
  const written = await writeFormat1(directory.path);
  const { manifest: frozen } = await show({ store: fileStore(REPOSITORY) }, { backup: "latest" });
  expect(await plainOf(directory.path, written)).toEqual(await plainOf(REPOSITORY, frozen));
  expect(withoutPlaces(written)).toEqual(withoutPlaces(frozen));
  const document = "mqbackup-repository.json";
  expect(await readFile(directory.join(document), "utf8")).toBe(
    await readFile(path.join(REPOSITORY, document), "utf8"),
  );
});

/** Everything that is stored, uncompressed. */
async function plainOf(directory: string, manifest: Manifest): Promise<string[]> {
  const source = { store: fileStore(directory), codec };
  const plain: string[] = [];
  for (const entry of manifest.definitions) {
    plain.push(JSON.stringify(await readDefinitions(source, manifest, entry)));
  }
  for (const queue of manifest.queues) {
    for (const segment of queue.segments) {
      plain.push(Buffer.from(await readSegment(source, manifest, queue, segment)).toString("hex"));
    }
    for (const entry of queue.index) {
      plain.push(Buffer.from(await readFingerprints(source, manifest, entry)).toString("hex"));
    }
  }
  return plain;
}

/** Where frames lie and how long they are depends on zstd. */
function withoutPlaces(manifest: Manifest): unknown {
  const dropped = new Set(["offset", "length", "volume", "volumes", "bytes", "sha256", "storedBytes"]);
  const text = JSON.stringify(manifest, (key, value: unknown) => (dropped.has(key) ? undefined : value));
  return JSON.parse(text);
}
