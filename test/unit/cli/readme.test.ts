import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { celFilter } from "../../../src/adapters/expression/cel-filter.ts";
import { VARIABLE_TYPES } from "../../../src/adapters/expression/message-variables.ts";
import { EXIT_STATUSES } from "../../../src/cli/exit-status.ts";
import { METRICS } from "../../../src/cli/metrics.ts";
import { parseCommandLine } from "../../../src/cli/program.ts";
import { defaultSettings, settingsFromEnvironment, settingsFromFile } from "../../../src/cli/raw-settings.ts";
import { COMMANDS } from "../../../src/cli/setting-entry.ts";
import { flagOf, SETTING_KEYS, settingEntry, variableOf } from "../../../src/cli/setting-table.ts";
import { parseSettings } from "../../../src/cli/settings-schema.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const README = readFileSync(path.join(ROOT, "README.md"), "utf8");

/** Rows of the tables whose first heading matches, without the headings; cells as text, without code marks. */
function rowsOf(heading: RegExp): string[][] {
  const tables = README.split(/\n\s*\n/).filter((part) => part.startsWith("|") && heading.test(part));
  return tables.flatMap((table) => table.split("\n").slice(2).map(cellsOf));
}

function cellsOf(row: string): string[] {
  return row
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll("`", ""));
}

function blocksOf(...languages: readonly string[]): string[] {
  const blocks = [...README.matchAll(/^```(\w*)\n(.*?)^```$/gms)];
  return blocks.flatMap(([, language = "", text = ""]) => (languages.includes(language) ? [text] : []));
}

/** Words of each call of the program in a line of shell, as the shell would make them; "" for what it would fill in. */
function callsIn(line: string): string[][] {
  const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|([|;()]|\$\()|([^\s'"|;()]+)/g)].map(
    ([, single, double, control, plain]) => control ?? single ?? double ?? plain ?? "",
  );
  const starts = words.flatMap((word, at) =>
    /(^|\/)mqbackup$/.test(word) && words[at - 1] !== "-g" ? [at] : [],
  );
  return starts.map((at) => {
    const rest = words.slice(at + 1);
    const end = rest.findIndex((word) => /^([|;()]|\d?>.*)$/.test(word));
    return end === -1 ? rest : rest.slice(0, end);
  });
}

test("the tables of flags are those of the program", () => {
  const told = rowsOf(/^\| flag /).map(([flag = "", commands = "", , fallback = ""]) => ({
    flag,
    commands: commands === "all" ? [...COMMANDS].toSorted() : commands.split(", ").toSorted(),
    fallback,
  }));
  const real = SETTING_KEYS.filter((key) => settingEntry(key).secret !== true).map((key) => {
    const { kind, value, commands, default: fallback } = settingEntry(key);
    return {
      flag: kind === "switch" ? flagOf(key) : `${flagOf(key)} <${value ?? ""}>`,
      commands: [...commands].toSorted(),
      fallback: fallback ?? "",
    };
  });
  expect(told).toEqual(real);
});

test("what --accept takes is what the table says", () => {
  const told = rowsOf(/^\| --accept|^\| `--accept`/).map(([code = ""]) => code);
  const answer = parseSettings({ ...defaults(), accept: ["nothing"] });
  const [, real = ""] = /is none of (.*)$/.exec("why" in answer ? answer.why : "") ?? [];
  expect(told.toSorted()).toEqual(real.split(", ").toSorted());
});

test("the names of --where are those it knows", () => {
  const told = rowsOf(/^\| name /).flatMap(([names = ""]) => names.split(", "));
  expect(told.toSorted()).toEqual(Object.keys(VARIABLE_TYPES).toSorted());
});

test("the conditions can be taken as they stand", () => {
  const [, table = ""] = /^\| to find .*\n.*\n((?:\|.*\n)+)/m.exec(README) ?? [];
  const conditions = [...table.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);
  expect(conditions.length).toBeGreaterThan(8);
  for (const text of conditions) expect(celFilter(text).text).toBe(text);
});

test("the metrics are those of the program, in the table and in the rules", () => {
  const told = rowsOf(/^\| metric /).flatMap(([names = ""]) => names.split(", "));
  expect(told.toSorted()).toEqual(Object.keys(METRICS).toSorted());
  const rules = blocksOf("yaml").filter((text) => text.startsWith("groups:"));
  const used = rules.flatMap((text) => text.match(/mqbackup_\w+/g) ?? []);
  expect(used.length).toBeGreaterThan(3);
  expect(used.filter((name) => !Object.hasOwn(METRICS, name))).toEqual([]);
  for (const text of rules) expect(() => parse(text)).not.toThrow();
});

test("the exit statuses are those of the program", () => {
  const told = rowsOf(/^\| status /).map(([status, meaning]) => [Number(status), meaning]);
  expect(told).toEqual(EXIT_STATUSES);
});

test("the configuration files are valid", () => {
  const files = blocksOf("yaml").filter((text) => !text.startsWith("groups:"));
  expect(files.length).toBeGreaterThan(1);
  for (const text of files) {
    const raw = settingsFromFile(parse(text), "mqbackup.yaml");
    const values = Object.fromEntries([...raw].map(([key, { value }]) => [key, value]));
    expect(parseSettings({ ...defaults(), ...values })).not.toHaveProperty("why");
  }
});

test("the variables are settings", () => {
  const named = new Set([...README.matchAll(/\bMQBACKUP_[A-Z_]*[A-Z]\b/g)].map(([name]) => name));
  const known = new Set(SETTING_KEYS.map(variableOf));
  expect([...named].filter((name) => !known.has(name))).toEqual([]);
  expect(settingsFromEnvironment({ MQBACKUP_URL: "amqp://localhost" }).size).toBe(1);
});

describe("the commands are taken as they stand:", () => {
  const commands = [...blocksOf("console").flatMap(promptsOf), ...blocksOf("sh", "").flatMap(linesOf)];
  const calls = commands.flatMap((line) => callsIn(line).map((call) => ({ line, call })));

  test("there are some", () => {
    expect(calls.length).toBeGreaterThan(15);
  });

  test.each(calls)("$line", ({ call }) => {
    expect(() => parseCommandLine(call, { version: "", columns: 80, print: () => undefined })).not.toThrow();
  });
});

test("the links lead somewhere", () => {
  const links = [...README.matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, link = ""]) => link);
  expect(links.length).toBeGreaterThan(10);
  expect(links.filter((link) => !leadsSomewhere(link))).toEqual([]);
});

function leadsSomewhere(link: string): boolean {
  const [file = "", anchor] = link.split("#");
  if (file !== "" && !existsSync(path.join(ROOT, file))) return false;
  if (anchor === undefined) return true;
  return anchorsOf(file === "" ? README : readFileSync(path.join(ROOT, file), "utf8")).includes(anchor);
}

function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function promptsOf(block: string): string[] {
  return linesOf(block).flatMap((line) => (line.startsWith("$ ") ? [line.slice(2)] : []));
}

function linesOf(block: string): string[] {
  return block.split("\n");
}

function defaults(): Record<string, unknown> {
  return Object.fromEntries([...defaultSettings()].map(([key, { value }]) => [key, value]));
}
