import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { readWhole, writeWhole } from "../../../../src/adapters/monitoring/text-file.ts";
import { tempDirectory } from "../../../lab/temp.ts";

const failed = (why: RegExp) => ({ code: "METRICS_FAILED", message: expect.stringMatching(why) });

test("a file is replaced as a whole, readable to all, and nothing stays beside it", async () => {
  await using directory = await tempDirectory();
  const file = directory.join("mqbackup.prom");
  expect(await readWhole(file)).toBe("");
  await writeWhole(file, "first\n");
  await writeWhole(file, "second\n");
  expect(await readWhole(file)).toBe("second\n");
  expect((await stat(file)).mode & 0o777).toBe(0o644 & ~process.umask());
  expect(await readdir(directory.path)).toEqual(["mqbackup.prom"]);
});

test("what is no file is not replaced", async () => {
  await using directory = await tempDirectory();
  await mkdir(directory.join("folder"));
  await expect(readWhole(directory.join("folder"))).rejects.toMatchObject(
    failed(/folder cannot be written: it is no file/),
  );
  await expect(readWhole("/dev/null")).rejects.toMatchObject(failed(/it is no file/));
});

test("a link is replaced, and not what it leads to", async () => {
  await using directory = await tempDirectory();
  await writeFile(directory.join("other"), "theirs");
  await symlink(directory.join("other"), directory.join("mqbackup.prom"));
  await writeWhole(directory.join("mqbackup.prom"), "ours\n");
  expect(await readFile(directory.join("other"), "utf8")).toBe("theirs");
});

test("a directory that is missing, or is none, is named", async () => {
  await using directory = await tempDirectory();
  await writeFile(directory.join("file"), "");
  await expect(writeWhole(directory.join("no/m.prom"), "x")).rejects.toMatchObject(
    failed(/no\/m\.prom .*ENOENT/),
  );
  await expect(readWhole(directory.join("file/m.prom"))).rejects.toMatchObject(failed(/ENOTDIR/));
  expect(await readdir(directory.path)).toEqual(["file"]);
});

test.skipIf(process.getuid?.() === 0)("a directory nobody may write to", async () => {
  await using directory = await tempDirectory();
  await mkdir(directory.join("closed"));
  await chmod(directory.join("closed"), 0o555);
  await expect(writeWhole(directory.join("closed/m.prom"), "x")).rejects.toMatchObject(failed(/EACCES/));
});
