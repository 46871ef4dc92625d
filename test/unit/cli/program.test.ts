import { describe, expect, it } from "vitest";

import { EXIT_STATUSES } from "../../../src/cli/exit-status.ts";
import { parseCommandLine } from "../../../src/cli/program.ts";
import { COMMANDS } from "../../../src/cli/setting-entry.ts";
import { SETTING_KEYS, flagOf, settingEntry, settingsOf } from "../../../src/cli/setting-table.ts";

function parse(...argv: readonly string[]) {
  let printed = "";
  const invocation = parseCommandLine(argv, {
    version: "1.2.3",
    columns: 100,
    print: (text) => (printed += text),
  });
  return { invocation, printed };
}

function rejection(...argv: readonly string[]): unknown {
  try {
    return parse(...argv);
  } catch (error) {
    return error;
  }
}

describe("parseCommandLine", () => {
  it("takes a command with its flags, repeated ones as lists, others by the last word", () => {
    const { invocation } = parse(
      "full",
      "--queue",
      "a",
      "--queue=b",
      "--drain",
      "--no-color",
      "--parallel",
      "2",
      "--parallel",
      "3",
    );
    expect(invocation).toMatchObject({
      command: "full",
      argument: null,
      otherArgument: null,
      flags: { queue: ["a", "b"], drain: true, color: false, parallel: "3" },
    });
  });

  it("takes values that begin with a dash", () => {
    expect(parse("full", "--reader-priority", "-5").invocation?.flags).toMatchObject({
      readerPriority: "-5",
    });
  });

  it("takes the backup of show, cat and verify", () => {
    expect(parse("show", "latest").invocation).toMatchObject({ command: "show", argument: "latest" });
    expect(parse("diff", "20261121", "latest").invocation).toMatchObject({
      command: "diff",
      argument: "20261121",
      otherArgument: "latest",
    });
    expect(parse("verify").invocation).toMatchObject({ command: "verify", argument: null });
    expect(parse("copy", "2026", "latest").invocation).toMatchObject({ manyArguments: ["2026", "latest"] });
    expect(parse("rekey", "2026").invocation).toMatchObject({ argument: null, manyArguments: ["2026"] });
    expect(parse("copy").invocation).toMatchObject({ argument: null, manyArguments: [] });
  });

  it("prints help and version instead", () => {
    expect(parse("--version")).toEqual({ invocation: null, printed: "1.2.3\n" });
    const { invocation, printed } = parse("--help");
    expect(invocation).toBeNull();
    for (const [status, meaning] of EXIT_STATUSES) expect(printed).toContain(`${status}  ${meaning}`);
    for (const command of COMMANDS) expect(printed).toMatch(new RegExp(`^  ${command} `, "m"));
  });

  it.each(COMMANDS)("describes every flag of %s, and has examples that parse", (command) => {
    const { printed } = parse(command, "--help");
    for (const key of settingsOf(command)) {
      expect(printed.includes(`${flagOf(key)} `) || printed.includes(`${flagOf(key)}\n`)).toBe(
        !settingEntry(key).secret,
      );
    }
    const examples = printed.split("\n").filter((line) => line.startsWith("  mqbackup "));
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const words = (example.replace(/[|>].*$/, "").match(/'[^']*'|\S+/g) ?? []).map((word) =>
        word.replaceAll("'", ""),
      );
      expect(parse(...words.slice(1)).invocation?.command).toBe(command);
    }
  });

  it.each([
    [[], "no command is given", "mqbackup --help"],
    [["ful"], "unknown command ful", "Did you mean full?"],
    [["backup"], "unknown command backup", "mqbackup --help"],
    [["full", "--quue", "x"], "unknown flag --quue", "Did you mean --queue?"],
    [["full", "--max_hold=5m"], "unknown flag --max_hold", "Did you mean --max-hold?"],
    [["full", "--frobnicate"], "unknown flag --frobnicate", "mqbackup full --help"],
    [["list", "--drain"], "unknown flag --drain", "It is a flag of full, check."],
    [["--json", "full"], "unknown flag --json", "Flags come after the command."],
    [["full", "--password", "x"], "unknown flag --password", "MQBACKUP_PASSWORD_FILE"],
    [["full", "--target"], "option '--target <place>' argument missing", "mqbackup full --help"],
    [["diff", "a"], "missing required argument 'other'", "mqbackup diff --help"],
    [["show"], "missing required argument 'id'", "mqbackup show --help"],
    [["full", "x"], "too many arguments for 'full'", "mqbackup full --help"],
  ])("refuses %j", (argv, message, hint) => {
    expect(rejection(...argv)).toMatchObject({
      code: "USAGE",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });

  it("has a flag for every setting but secrets", () => {
    const all = new Set(COMMANDS.flatMap((command) => settingsOf(command)));
    expect([...all].toSorted()).toEqual(SETTING_KEYS.toSorted());
  });
});
