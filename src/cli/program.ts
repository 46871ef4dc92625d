import { Command, CommanderError, Option } from "commander";

import { BackupError } from "../domain/errors.ts";
import { EXAMPLES, SUMMARIES, epilogue } from "./help-text.ts";
import { nearest } from "../domain/nearest.ts";
import { COMMANDS, type CommandName } from "./setting-entry.ts";
import { flagOf, settingEntry, settingsOf, type SettingKey } from "./setting-table.ts";

export interface Invocation {
  readonly command: CommandName;
  /** The backup that `show`, `diff`, `cat`, `verify`, `compact`, `mark` and `unmark` are about. */
  readonly argument: string | null;
  /** The second backup of `diff`. */
  readonly otherArgument: string | null;
  /** The backups of `copy` and `rekey`: none are all. */
  readonly manyArguments: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
}

export interface HelpOutput {
  readonly version: string;
  readonly columns: number;
  print(text: string): void;
}

/** Which arguments a command takes, as commander writes them. */
const ARGUMENTS: Partial<Readonly<Record<CommandName, readonly string[]>>> = {
  show: ["<id>"],
  diff: ["<id>", "<other>"],
  cat: ["<id>"],
  verify: ["[id]"],
  compact: ["<id>"],
  copy: ["[id...]"],
  rekey: ["[id...]"],
  mark: ["<id>"],
  unmark: ["<id>"],
};

/** Of those that may be left away. */
const ARGUMENT_HELP: Readonly<Record<string, string>> = {
  "[id]": "a backup (default: all)",
  "[id...]": "backups, with those they need (default: all)",
  "rekey [id...]": "backups (default: all)",
};

/** null: help or version was asked for, and printed. Throws USAGE. */
export function parseCommandLine(argv: readonly string[], output: HelpOutput): Invocation | null {
  const found: Invocation[] = [];
  const program = buildProgram(output, (invocation) => found.push(invocation));
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return null;
    throw usageError(error, program, argv);
  }
  return found[0] ?? null;
}

function buildProgram(output: HelpOutput, onInvocation: (invocation: Invocation) => void): Command {
  const program = new Command("mqbackup")
    .description("Online backup and restore of the messages in RabbitMQ queues, byte for byte and in order.")
    .usage("<command> [flags]")
    .version(output.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({
      writeOut: (text) => output.print(text),
      writeErr: () => undefined,
      getOutHelpWidth: () => output.columns,
    })
    .addHelpText("after", epilogue());
  for (const name of COMMANDS) program.addCommand(commandOf(name, program, onInvocation));
  return program;
}

function commandOf(
  name: CommandName,
  program: Command,
  onInvocation: (invocation: Invocation) => void,
): Command {
  const expected = ARGUMENTS[name] ?? [];
  const command = new Command(name)
    .copyInheritedSettings(program)
    .description(SUMMARIES[name])
    .usage([...expected, "[flags]"].join(" "))
    .addHelpOption(new Option("-h, --help", "print this help").helpGroup("Output:"))
    .allowExcessArguments(false)
    .action((...given: readonly unknown[]) => {
      const [argument, other] = given.slice(0, expected.length);
      onInvocation({
        command: name,
        argument: typeof argument === "string" ? argument : null,
        otherArgument: typeof other === "string" ? other : null,
        manyArguments: Array.isArray(argument) ? argument.map(String) : [],
        flags: command.opts<Record<string, unknown>>(),
      });
    })
    .addHelpText("after", EXAMPLES[name]);
  for (const argument of expected) {
    const help = ARGUMENT_HELP[`${name} ${argument}`] ?? ARGUMENT_HELP[argument];
    command.argument(argument, help ?? "an id, the beginning of one, or latest");
  }
  for (const key of settingsOf(name)) {
    const option = optionOf(key);
    if (option !== null) command.addOption(option);
  }
  return command;
}

function optionOf(key: SettingKey): Option | null {
  const { kind, value, help, default: fallback, secret, group } = settingEntry(key);
  if (secret) return null;
  const flag = flagOf(key);
  const told = fallback === undefined ? help : `${help} (default: ${fallback})`;
  const option = new Option(kind === "switch" ? flag : `${flag} <${value ?? "value"}>`, told).helpGroup(
    `${group}:`,
  );
  if (kind !== "list") return option;
  return option.argParser((text: string, before: unknown) => [
    ...(Array.isArray(before) ? before : []),
    text,
  ]);
}

/** In our words, with the nearest known flag or command. */
function usageError(error: CommanderError, program: Command, argv: readonly string[]): BackupError {
  const command = COMMANDS.find((name) => name === argv.find((word) => !word.startsWith("-")));
  const help = `mqbackup ${command === undefined ? "" : `${command} `}--help describes the usage.`;
  const [, wrong = ""] = /'([^']*)'/.exec(error.message) ?? [];
  if (error.code === "commander.unknownOption") {
    const flag = wrong.replace(/=.*$/s, "");
    return new BackupError("USAGE", `unknown flag ${flag}`, { hint: flagHint(flag, command) ?? help });
  }
  if (error.code === "commander.unknownCommand") {
    const meant = nearest(wrong, COMMANDS);
    return new BackupError("USAGE", `unknown command ${wrong}`, {
      hint: meant === null ? help : `Did you mean ${meant}?`,
    });
  }
  if (error.code === "commander.help") return new BackupError("USAGE", "no command is given", { hint: help });
  const message = error.message
    .replace(/^error: /, "")
    .replace(". Expected", ", expected")
    .replace(/\.$/, "");
  return new BackupError("USAGE", message.charAt(0).toLowerCase() + message.slice(1), { hint: help });
}

function flagHint(flag: string, command: CommandName | undefined): string | null {
  if (flag === "--password") return "Passwords come by MQBACKUP_PASSWORD_FILE or MQBACKUP_PASSWORD.";
  if (flag === "--new-passphrase")
    return "Passphrases come by MQBACKUP_NEW_PASSPHRASE_FILE or MQBACKUP_NEW_PASSPHRASE.";
  if (flag === "--passphrase") return "Passphrases come by MQBACKUP_PASSPHRASE_FILE or MQBACKUP_PASSPHRASE.";
  const owners = COMMANDS.filter((name) => flagsOf(name).includes(flag));
  if (owners.length > 0) {
    const early = command === undefined || owners.includes(command);
    return early ? "Flags come after the command." : `It is a flag of ${owners.join(", ")}.`;
  }
  const meant = nearest(flag, command === undefined ? ["--help", "--version"] : flagsOf(command));
  return meant === null ? null : `Did you mean ${meant}?`;
}

function flagsOf(command: CommandName): readonly string[] {
  return settingsOf(command).flatMap((key) => (settingEntry(key).secret ? [] : [flagOf(key)]));
}
