import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { runCli, type CliOptions } from "../lab/cli.ts";
import { expectClean, expectFailure } from "../lab/scene.ts";
import { filesBelow, tempDirectory } from "../lab/temp.ts";

const SECRET = "s3cr3t-planted-usage";

interface Wrong {
  readonly what: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly error: RegExp;
  readonly hint: RegExp;
}

const WRONG: readonly Wrong[] = [
  { what: "no command", args: [], error: /no command/, hint: /mqbackup --help/ },
  { what: "an unknown command", args: ["ful"], error: /unknown command ful/, hint: /Did you mean full\?/ },
  {
    what: "an unknown flag",
    args: ["full", "--taget", "x"],
    error: /unknown flag --taget/,
    hint: /Did you mean --target\?/,
  },
  {
    what: "an unknown flag with a value",
    args: ["full", `--pasword=${SECRET}`],
    error: /unknown flag --pasword/,
    hint: /./,
  },
  {
    what: "a flag of another command",
    args: ["list", "--drain"],
    error: /unknown flag --drain/,
    hint: /flag of full/,
  },
  {
    what: "a flag before the command",
    args: ["--drain", "full"],
    error: /--drain/,
    hint: /after the command/,
  },
  { what: "a flag without its value", args: ["full", "--target"], error: /--target/, hint: /--help/ },
  { what: "an argument too many", args: ["full", "orders"], error: /argument/, hint: /--help/ },
  { what: "show without an id", args: ["show", "--target", "x"], error: /id/, hint: /--help/ },
  {
    what: "restore without an id",
    args: ["restore", "--target", "x"],
    error: /which backup/,
    hint: /--id latest/,
  },
  {
    what: "a condition that is wrong",
    args: ["cat", "latest", "--target", "x", "--where", 'headrs.tenant == "acme"'],
    error: /--where is wrong at character 1: unknown variable: headrs/,
    hint: /Did you mean headers\?/,
  },
  {
    what: "a condition that is none",
    args: ["cat", "latest", "--target", "x", "--where", "routing_key"],
    error: /--where is no condition: it gives a value of type string/,
    hint: /for instance: routing_key/,
  },
  {
    what: "a range that ends before it begins",
    args: ["cat", "latest", "--target", "x", "--from-seq", "7", "--to-seq", "6"],
    error: /--from-seq 7 is behind --to-seq 6/,
    hint: /both ends are included/,
  },
  {
    what: "a sequence that is no number",
    args: ["cat", "latest", "--target", "x", "--to-seq", "last"],
    error: /--to-seq: /,
    hint: /mqbackup cat --help/,
  },
  ...[
    ["--map", "a=b"],
    ["--route", "exchange"],
    ["--append"],
    ["--read-back"],
    ["--definitions", "missing"],
  ].map((flag) => ({
    what: `--to-origin and ${flag.join(" ")}`,
    args: ["restore", "--id", "latest", "--target", "x", "--to-origin", ...flag],
    error: new RegExp(`--to-origin and ${flag[0]} contradict each other`),
    hint: /to the exchange it once came from/,
  })),
  {
    what: "--death-header without --to-origin",
    args: ["restore", "--id", "latest", "--target", "x", "--death-header", "keep"],
    error: /--death-header is only for use with --to-origin/,
    hint: /--to-origin/,
  },
  { what: "no target", args: ["full"], error: /no target/, hint: /--target, MQBACKUP_TARGET or target/ },
  {
    what: "a target twice",
    args: ["full", "--target", "x", "--target", "x"],
    error: /x is given twice/,
    hint: /once/,
  },
  {
    what: "an unknown kind of target",
    args: ["full", "--target", "ftp://backup@host/p"],
    error: /ftp:/,
    hint: /directory/,
  },
  { what: "a number that is none", args: full("--parallel", "many"), error: /--parallel: .*many/, hint: /./ },
  {
    what: "a duration that is none",
    args: full("--max-hold", "soon"),
    error: /--max-hold: .*soon/,
    hint: /./,
  },
  { what: "a size too small", args: full("--volume-size", "1k"), error: /--volume-size: .*1MiB/, hint: /./ },
  {
    what: "an unknown choice",
    args: full("--auth", "kerberos"),
    error: /--auth: .*plain, external/,
    hint: /./,
  },
  { what: "an unknown code", args: full("--accept", "all"), error: /--accept: .*sac-takeover/, hint: /./ },
  { what: "a URL that is none", args: full("--url", "localhost"), error: /--url: .*localhost/, hint: /./ },
  { what: "a URL of another kind", args: full("--url", "http://h"), error: /--url: .*amqp:/, hint: /./ },
  {
    what: "a password on the command line",
    args: full("--url", `amqp://backup:${SECRET}@h`),
    error: /--url holds a password/,
    hint: /MQBACKUP_PASSWORD_FILE/,
  },
  {
    what: "a password in the management URL on the command line",
    args: full("--management-url", `http://backup:${SECRET}@h:15672`),
    error: /--management-url holds a password/,
    hint: /MQBACKUP_PASSWORD_FILE/,
  },
  {
    what: "a password flag",
    args: full("--password", SECRET),
    error: /--password/,
    hint: /MQBACKUP_PASSWORD_FILE/,
  },
  {
    what: "a user without a password",
    args: full("--url", "amqp://backup@127.0.0.1:1"),
    error: /no password for user backup/,
    hint: /MQBACKUP_PASSWORD/,
  },
  {
    what: "a password twice",
    args: full(),
    env: { MQBACKUP_PASSWORD: SECRET, MQBACKUP_PASSWORD_FILE: "x" },
    error: /twice, by MQBACKUP_PASSWORD and by MQBACKUP_PASSWORD_FILE/,
    hint: /one of them/,
  },
  {
    what: "a password file that is not there",
    args: full("--password-file", "/nowhere/password"),
    error: /\/nowhere\/password cannot be read \(ENOENT\)/,
    hint: /permissions/,
  },
  {
    what: "an unknown variable",
    args: full(),
    env: { MQBACKUP_TAGRET: SECRET },
    error: /unknown environment variable MQBACKUP_TAGRET/,
    hint: /Did you mean MQBACKUP_TARGET\?/,
  },
  {
    what: "a URL without a colon",
    args: full(),
    env: { MQBACKUP_URL: `amqp//u:${SECRET}@h` },
    error: /MQBACKUP_URL: "amqp\/\/u:\*\*\*@h" is not a URL/,
    hint: /--help/,
  },
  {
    what: "a password with a slash in it",
    args: full("--management-url", "none", "--url", `amqp://u:12/${SECRET}@h`),
    error: /--url: has an @ behind a \/: write \/ as %2F/,
    hint: /--help/,
  },
  {
    what: "a password with a comma in it",
    args: full(),
    env: { MQBACKUP_URL: `amqp://u:${SECRET},x@h` },
    error: /MQBACKUP_URL: "amqp:\/\/u:\*\*\*" is not a URL/,
    hint: /--help/,
  },
  {
    what: "a configuration file that is not there",
    args: full("--config", "nowhere.yaml"),
    error: /nowhere\.yaml does not exist/,
    hint: /--config/,
  },
];

function full(...more: readonly string[]): readonly string[] {
  return ["full", "--target", "x", ...more];
}

test.each(WRONG)("$what", async ({ args, env, error, hint }) => {
  const result = await runInNothing(args, env ? { env } : {});
  expectFailure(result, { status: 2, error, hint });
});

describe("the configuration file", () => {
  test.each([
    {
      file: "tagret: x\n",
      error: /unknown setting in \.\/mqbackup\.yaml: tagret/,
      hint: /Did you mean target\?/,
    },
    {
      file: `password: ${SECRET}\nparallel: 0\ntarget: x\n`,
      error: /parallel in \.\/mqbackup\.yaml/,
      hint: /./,
    },
    {
      file: `url: [amqp://u:${SECRET}@h\n`,
      error: /mqbackup\.yaml is not YAML \(line \d+\)/,
      hint: /one setting a line/,
    },
    { file: "- target\n", error: /mqbackup\.yaml is not a list of settings/, hint: /one setting a line/ },
    { file: "password: 12345\ntarget: x\n", error: /password in .* is not text/, hint: /quotes/ },
    { file: "target: {a: 1}\n", error: /target in .*/, hint: /./ },
  ])("holding $file", async ({ file, error, hint }) => {
    await using directory = await tempDirectory();
    await writeFile(directory.join("mqbackup.yaml"), file);
    const result = await runCli(["full"], { cwd: directory.path });
    expectClean(result, SECRET);
    expectFailure(result, { status: 2, error, hint });
    expect(await filesBelow(directory.path)).toEqual(["mqbackup.yaml"]);
  });
});

test("with --json an error is one object on one line", async () => {
  const result = await runInNothing(["full", "--json", "--taget", "x"]);
  expect(result).toMatchObject({ status: 2, stdout: "" });
  expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(JSON.parse(result.stderr)).toEqual({
    error: { code: "USAGE", message: "unknown flag --taget", hint: "Did you mean --target?", status: 2 },
  });
});

test("--quiet does not silence an error", async () => {
  const result = await runInNothing(["list", "--quiet", "--target", "/nowhere/at/all"]);
  expect(result.stderr).toMatch(/^mqbackup: .*\/nowhere\/at\/all.*\nhint: /);
});

test("--print-settings says where each value came from, and masks secrets", async () => {
  const env = { MQBACKUP_URL: `amqp://u:${SECRET}@h,amqp://v:${SECRET}@i`, MQBACKUP_PASSWORD: SECRET };
  const shown = await runInNothing(["check", "--print-settings", "--parallel", "7"], { env });
  expect(shown).toMatchObject({ status: 2 }); // --parallel is not a flag of check
  for (const args of [["--print-settings"], ["--print-settings", "--json"]]) {
    const result = await runInNothing(["check", ...args, "--queue", "orders.*"], { env });
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(result.stdout).toMatch(/url.*amqp:\/\/u:\*\*\*@h.*MQBACKUP_URL/);
    expect(result.stdout).toMatch(/orders\.\*.*--queue/);
  }
});

/** In an empty directory, which must stay empty. */
async function runInNothing(args: readonly string[], options: CliOptions = {}) {
  await using directory = await tempDirectory();
  const result = await runCli(args, { ...options, cwd: directory.path });
  expectClean(result, SECRET);
  expect(await filesBelow(directory.path)).toEqual([]);
  return result;
}
