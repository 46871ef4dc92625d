import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { fileStore } from "../../../src/adapters/store/file-store.ts";
import { inlineCodec } from "../../../src/adapters/codec/inline-codec.ts";
import { committedIds } from "../../../src/repository/backup-folder.ts";
import { cat } from "../../../src/usecases/cat.ts";
import { list } from "../../../src/usecases/list.ts";
import { everyMessage } from "../../fakes/backup-lab.ts";
import { writeFormat1Chain } from "../../fakes/format-1-chain.ts";
import { verified } from "../../fakes/verified.ts";

/** Frozen, as fixtures/format-1 is. */
const FIXTURE = path.resolve(import.meta.dirname, "../../../fixtures/format-1-chain");
const REPOSITORY = path.join(FIXTURE, "repository");

const anew = process.env["MQBACKUP_WRITE_FIXTURE"] ?? "";

test.runIf(anew !== "")("the chains are made anew where MQBACKUP_WRITE_FIXTURE says", async () => {
  const directory = path.join(anew, "repository");
  await writeFormat1Chain(directory);
  const ids = await committedIds(fileStore(directory));
  expect(ids).toHaveLength(6);
  for (const id of ids) await writeFile(path.join(anew, `${id}.jsonl`), await linesOf(directory, id));
});

async function linesOf(directory: string, id: string): Promise<string> {
  const codec = inlineCodec({ level: 3 });
  let lines = "";
  for await (const view of cat({ store: fileStore(directory), codec }, everyMessage(id))) {
    lines += `${JSON.stringify(view)}\n`;
  }
  return lines;
}

test("chains of format 1 are listed, each with its base, and the mark", async () => {
  const { backups, damaged } = await list({ store: fileStore(REPOSITORY) }, { set: null });
  expect(damaged).toEqual([]);
  const [full, first, , second] = backups;
  expect(backups).toMatchObject([
    { kind: "full", base: null, set: "s", marked: false },
    { kind: "incremental", base: full?.id, marked: true },
    { kind: "full", base: null, set: "streams" },
    { kind: "incremental", base: first?.id },
    { kind: "incremental", set: "streams" },
    { kind: "incremental", base: second?.id },
  ]);
});

test("chains of format 1 verify", async () => {
  const { backups, findings } = await verified(fileStore(REPOSITORY));
  expect(findings).toEqual([]);
  expect(backups).toHaveLength(6);
});

test("the messages of chains of format 1 are those they were", async () => {
  const files = (await readdir(FIXTURE)).filter((name) => name.endsWith(".jsonl"));
  expect(files).toHaveLength(6);
  for (const file of files) {
    const frozen = await readFile(path.join(FIXTURE, file), "utf8");
    expect(await linesOf(REPOSITORY, path.basename(file, ".jsonl"))).toBe(frozen);
  }
});
