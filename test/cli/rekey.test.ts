import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { ageKeyMaker } from "../../src/adapters/encryption/key-maker.ts";
import { Chain } from "../fakes/chain.ts";
import { messages } from "../fakes/sample-backup.ts";
import { age, HAS_AGE } from "../lab/age-program.ts";
import { runCli, type CliResult } from "../lab/cli.ts";
import { expectFailure } from "../lab/scene.ts";
import { filesBelow, tempDirectory, type TempDirectory } from "../lab/temp.ts";

let temp: TempDirectory;
const identities = new Map<
  string,
  { readonly file: string; readonly identity: string; readonly recipient: string }
>();

beforeAll(async () => {
  temp = await tempDirectory();
  for (const name of ["old", "new"]) {
    const identity = await generateX25519Identity();
    const file = temp.join(`${name}.txt`);
    await writeFile(file, `${identity}\n`);
    identities.set(name, { file, identity, recipient: await identityToRecipient(identity) });
  }
  await writeFile(temp.join("passphrase"), "five horses on a roof\n");
});
afterAll(async () => temp[Symbol.asyncDispose]());

function operator(name: "old" | "new") {
  const found = identities.get(name);
  if (found === undefined) throw new Error(name);
  return found;
}

/** Backups for the old operator, in a directory of their own. */
async function encryptedRepository(
  name: string,
  backups: number,
): Promise<{ readonly target: string; readonly ids: readonly string[] }> {
  const chain = new Chain({ q: messages(20) });
  const keys = ageKeyMaker({ recipients: [operator("old").recipient] });
  chain.deps = { encryption: { keys, namesHidden: false, proof: null } };
  const ids: string[] = [];
  for (let n = 0; n < backups; n += 1) ids.push((await chain.full()).id);
  const target = temp.join(name);
  for (const [key, { bytes }] of chain.store.objects) {
    await mkdir(path.dirname(path.join(target, key)), { recursive: true });
    await writeFile(path.join(target, key), bytes);
  }
  return { target, ids };
}

async function run(...args: readonly string[]): Promise<CliResult> {
  const result = await runCli(args);
  expect(result.leftovers).toEqual([]);
  for (const { identity } of identities.values())
    expect(result.stdout + result.stderr).not.toContain(identity);
  expect(result.stdout + result.stderr).not.toContain("five horses");
  return result;
}

async function contentsOf(target: string): Promise<Map<string, string>> {
  const files = await filesBelow(target);
  return new Map(
    await Promise.all(
      files.map(async (file) => [file, (await readFile(path.join(target, file))).toString("hex")] as const),
    ),
  );
}

test("from one recipient to another, at two targets; the old identity opens nothing any more", async () => {
  const { target, ids } = await encryptedRepository("first", 2);
  const second = temp.join("second");
  await mkdir(second);
  const args = ["--target", target, "--target", second];
  expect(await run("copy", ...args)).toMatchObject({ status: 0 });
  const before = await contentsOf(target);
  const rekey = [...args, "--identity-file", operator("old").file, "--recipient", operator("new").recipient];

  const planned = await run("rekey", ...rekey, "--dry-run");
  expect(planned).toMatchObject({ status: 0, stderr: "" });
  expect(planned.stdout).toContain(`${target}: 2 of 2 encrypted backups would be rekeyed`);
  expect(await contentsOf(target)).toEqual(before);

  const done = await run("rekey", ...rekey, "--json");
  expect(done.status).toBe(0);
  expect(JSON.parse(done.stdout)).toEqual({
    status: 0,
    dryRun: false,
    targets: [target, second].map((place) => ({
      target: place,
      rekeyed: ids,
      left: [],
      notEncrypted: [],
      unusable: [],
      failure: null,
    })),
  });
  const after = await contentsOf(target);
  const changed = [...after].filter(([file, bytes]) => before.get(file) !== bytes).map(([file]) => file);
  expect(changed.toSorted()).toEqual(ids.map((id) => `backups/${id}/key.age`).toSorted());
  expect([...after.keys()].toSorted()).toEqual([...before.keys()].toSorted());

  const cat = ["cat", "latest", "--queue", "q", "--target", second, "--identity-file"];
  expect((await run(...cat, operator("new").file)).stdout.trim().split("\n")).toHaveLength(20);
  expectFailure(await run(...cat, operator("old").file), {
    status: 12,
    error: /no identity that was given opens backups\/.*\/key\.age/,
    hint: /--identity-file/,
  });
  expect((await run("copy", ...args)).stdout).toContain("2 there already");

  expectFailure(await run("rekey", ...rekey), {
    status: 12,
    error: /no identity that was given opens/,
    hint: /what opens the backups now/,
  });
  expect(await contentsOf(target)).toEqual(after);
});

test.skipIf(!HAS_AGE)("to a passphrase and back; the age program opens what comes of it", async () => {
  const { target, ids } = await encryptedRepository("third", 1);
  const at = ["--target", target];
  const toPassphrase = [
    "--identity-file",
    operator("old").file,
    "--new-passphrase-file",
    temp.join("passphrase"),
  ];
  const first = await run("rekey", ids[0] ?? "", ...at, ...toPassphrase);
  expect(first.stdout).toContain("1 of 1 encrypted backup rekeyed");
  expect(first.stdout).toContain("volumes, indexes and manifests stay as they are");
  // As one that was broken off is ended: what is for the new passphrase already is opened with it.
  expect(await run("rekey", ...at, ...toPassphrase)).toMatchObject({ status: 0 });
  const back = ["--passphrase-file", temp.join("passphrase"), "--recipient", operator("old").recipient];
  expect(await run("rekey", ...at, ...back)).toMatchObject({ status: 0 });

  const folder = path.join(target, "backups", ids[0] ?? "");
  await writeFile(
    temp.join("backup.key"),
    await age("-d", "-i", operator("old").file, path.join(folder, "key.age")),
  );
  const volume = await age("-d", "-i", temp.join("backup.key"), path.join(folder, "data-00001.tar.zst.age"));
  expect(volume.subarray(0, 4).toString("hex")).toBe("28b52ffd");
});
