import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { localSpool, sweepDeadSpools } from "../../../../src/adapters/archive/local-spool.ts";
import { tempDirectory } from "../../../lab/temp.ts";

test("a spooled file is its appends in call order, with its sum and size", async () => {
  await using directory = await tempDirectory();
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 5000 }), { maxLength: 20 }), async (parts) => {
      await using spool = localSpool(directory.join("spool"));
      const file = await spool.create("data-00001.tar.zst");
      const ranges = await Promise.all(parts.map(async (part) => file.append(part)));
      const whole = Buffer.concat(parts);
      expect(file.bytes).toBe(whole.length);
      const spooled = await file.finish();
      expect(spooled).toMatchObject({
        name: "data-00001.tar.zst",
        bytes: whole.length,
        sha256: createHash("sha256").update(whole).digest("hex"),
      });
      for (const [i, range] of ranges.entries()) {
        const part = Buffer.from(parts[i] ?? []);
        expect(whole.subarray(range.offset, range.offset + range.length).equals(part)).toBe(true);
      }
      // The body can be read more than once.
      for (let again = 0; again < 2; again += 1) {
        const read: Uint8Array[] = [];
        for await (const part of spooled.body.open()) read.push(part);
        expect(Buffer.concat(read).equals(whole)).toBe(true);
      }
      expect((await readFile(spooled.body.file ?? "")).equals(whole)).toBe(true);
    }),
    { numRuns: 30 },
  );
});

test("the folder is private, and gone with all its files after disposal", async () => {
  await using directory = await tempDirectory();
  const base = directory.join("target/.spool");
  await mkdir(directory.join("target"));
  {
    await using spool = localSpool(base);
    expect(await readdir(directory.join("target"))).toEqual([]);
    const file = await spool.create("data");
    await file.append(Buffer.from("x"));
    const [folder = ""] = await readdir(base);
    expect(((await lstat(path.join(base, folder))).mode & 0o777).toString(8)).toBe("700");
    expect(((await lstat(path.join(base, folder, "data"))).mode & 0o777).toString(8)).toBe("600");
  }
  expect(await readdir(directory.join("target"))).toEqual([]);
});

test("below a directory others write to, only one of this user alone is used", async () => {
  await using directory = await tempDirectory();
  const [own, open, link] = [directory.join("own"), directory.join("open"), directory.join("link")];
  await mkdir(open);
  await chmod(open, 0o777);
  await mkdir(directory.join("elsewhere"), { mode: 0o700 });
  await symlink(directory.join("elsewhere"), link);
  const refused = { code: "TARGET_REFUSED", hint: expect.stringContaining("--spool-dir") };
  for (const place of [open, link]) {
    await expect(sweepDeadSpools(place, { mustBePrivate: true })).rejects.toMatchObject(refused);
    await using spool = localSpool(place, { mustBePrivate: true });
    await expect(spool.create("data")).rejects.toMatchObject(refused);
  }
  expect(await readdir(open)).toEqual([]);
  expect(await sweepDeadSpools(own, { mustBePrivate: true })).toEqual([]);
  {
    await using spool = localSpool(own, { mustBePrivate: true });
    await spool.create("data");
    expect(((await lstat(own)).mode & 0o777).toString(8)).toBe("700");
  }
  expect((await readdir(directory.path)).toSorted()).toEqual(["elsewhere", "link", "open"]);
});

test("a directory of somebody else's stays", async () => {
  await using directory = await tempDirectory();
  {
    await using spool = localSpool(directory.path, { keepDirectory: true });
    await spool.create("data");
  }
  expect(await readdir(directory.path)).toEqual([]);
});

test("a released file is removed and may be released again", async () => {
  await using directory = await tempDirectory();
  await using spool = localSpool(directory.path);
  const finished = await (await spool.create("data")).finish();
  await finished.release();
  await finished.release();
  await expect(lstat(finished.body.file ?? "")).rejects.toMatchObject({ code: "ENOENT" });
});

test("what the disk has is told; of a spool that is nowhere nothing is known", async () => {
  await using directory = await tempDirectory();
  await using spool = localSpool(directory.path);
  const disk = await spool.disk();
  expect(disk?.totalBytes).toBeGreaterThan(0);
  expect(disk?.freeBytes).toBeLessThanOrEqual(disk?.totalBytes ?? 0);
  expect(await localSpool(directory.join("not/mounted")).disk()).toBe(null);
});

test("a target that is not there is not made up", async () => {
  await using directory = await tempDirectory();
  await using spool = localSpool(directory.join("not/mounted"));
  await expect(spool.create("data")).rejects.toMatchObject({ code: "TARGET_MISSING" });
  expect(await readdir(directory.path)).toEqual([]);
});

test("disposal waits for appends under way", async () => {
  await using directory = await tempDirectory();
  const spool = localSpool(directory.join("spool"));
  const file = await spool.create("data");
  const appends = Array.from({ length: 20 }, async () => file.append(Buffer.alloc(1_000_000, 1)));
  await spool[Symbol.asyncDispose]();
  await Promise.all(appends);
  expect(await readdir(directory.path)).toEqual([]);
});

test("spools of dead processes are swept, others stay", async () => {
  await using directory = await tempDirectory();
  await using spool = localSpool(directory.path);
  await spool.create("data");
  const [own = ""] = await readdir(directory.path);
  const [machine = "", pid = ""] = own.split("-");
  const dead = `${machine}-4194305-00000000-abcdef`;
  const earlier = `${machine}-${pid}-00000000-abcdef`;
  const living = `${machine}-${process.ppid}-00000000-abcdef`;
  const elsewhere = `00000000-${pid}-00000000-abcdef`;
  for (const name of [dead, earlier, living, elsewhere]) {
    await mkdir(directory.join(name));
    await writeFile(directory.join(name, "data"), "x");
  }
  expect(new Set(await sweepDeadSpools(directory.path))).toEqual(
    new Set([directory.join(dead), directory.join(earlier)]),
  );
  expect((await readdir(directory.path)).toSorted()).toEqual([elsewhere, own, living].toSorted());
});

test("what another machine left is swept when nothing touched it for a day", async () => {
  await using directory = await tempDirectory();
  const folder = directory.join("00000000-1-00000000-abcdef");
  await mkdir(folder);
  await writeFile(path.join(folder, "data"), "x");
  const { utimes } = await import("node:fs/promises");
  const yesterday = new Date(Date.now() - 25 * 3600 * 1000);
  await utimes(folder, yesterday, yesterday);
  expect(await sweepDeadSpools(directory.path)).toEqual([]);
  await utimes(path.join(folder, "data"), yesterday, yesterday);
  expect(await sweepDeadSpools(directory.path)).toEqual([folder]);
});

test("sweeping what is not there finds nothing", async () => {
  await using directory = await tempDirectory();
  expect(await sweepDeadSpools(directory.join("none"))).toEqual([]);
});
