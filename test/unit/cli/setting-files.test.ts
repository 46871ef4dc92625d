import { expect, test } from "vitest";
import { readNamedFile } from "../../../src/cli/setting-files.ts";

const IDENTITY = `AGE-SECRET-KEY-1${"Q".repeat(58)}`;

test.each([IDENTITY, IDENTITY.toLowerCase(), ` ${IDENTITY}\n`, `AGE-PLUGIN-YUBIKEY-1${"Q".repeat(30)}`])(
  "an identity in place of its file is told from a file, and not shown: %j",
  async (text) => {
    await expect(readNamedFile(text, "--identity-file")).rejects.toMatchObject({
      code: "SETTING_INVALID",
      message: "--identity-file is given an identity, and not the file that holds it",
      hint: expect.not.stringContaining("QQ") as string,
    });
  },
);

test.each(["age-secret-key-1.txt", "AGE-SECRET-KEY-backup", "age-plugin-1"])(
  "a file may be called %s",
  async (name) => {
    await expect(readNamedFile(name, "--identity-file")).rejects.toThrow(`${name} cannot be read (ENOENT)`);
  },
);
