import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { violations } from "./lab/architecture-rules.ts";
import { factsOf } from "./lab/source-facts.ts";

const SRC = path.resolve(import.meta.dirname, "../src");

function check(files: Readonly<Record<string, string>>): string[] {
  return violations(Object.entries(files).map(([file, text]) => factsOf(file, text)));
}

test("src keeps to the architecture", () => {
  const names = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  expect(names.length).toBeGreaterThan(0);
  const files = names.map((name) => [
    name.replaceAll(path.sep, "/"),
    readFileSync(path.join(SRC, name), "utf8"),
  ]);
  expect(check(Object.fromEntries(files))).toEqual([]);
});

describe("the check sees", () => {
  test.each([
    ["a room that is not allowed", "domain/a.ts", `import { x } from "../ports/b.ts";`],
    ["a type from a room that is not allowed", "domain/a.ts", `import type { X } from "../ports/b.ts";`],
    ["an inline type import", "usecases/a.ts", `type X = import("../adapters/store/b.ts").X;`],
    ["a dynamic import", "usecases/a.ts", `const b = await import("../adapters/store/b.ts");`],
    ["an import nobody can read", "usecases/a.ts", `const b = await import(name);`],
    ["a re-export", "repository/a.ts", `export * from "../usecases/b.ts";`],
    ["a named re-export", "repository/a.ts", `export { x } from "../cli/b.ts";`],
    ["a side-effect import", "cli/a.ts", `import "../adapters/store/b.ts";`],
    ["a required file", "cli/a.ts", `const b = require("../adapters/store/b.ts");`],
    ["a file required at once", "cli/a.ts", `createRequire(import.meta.url)("../adapters/store/b.ts");`],
    ["import = require", "cli/a.ts", `import b = require("../adapters/store/b.ts");`],
    ["a worker thread", "usecases/a.ts", `new Worker(new URL("../adapters/codec/b.js", import.meta.url));`],
    ["the repository from an adapter", "adapters/store/a.ts", `import { x } from "../../repository/b.ts";`],
    ["the way out of src", "cli/a.ts", `import { x } from "../../test/b.ts";`],
    [
      "package.json outside of the cli",
      "usecases/a.ts",
      `const a = new URL("../../package.json", import.meta.url);`,
    ],
    ["a package in the domain", "domain/a.ts", `import { createHash } from "node:crypto";`],
    ["a package in a use case", "usecases/a.ts", `import type { Channel } from "amqplib";`],
    ["another package in the repository", "repository/a.ts", `import fs from "node:fs";`],
    ["another package in the cli", "cli/a.ts", `import { connect } from "amqplib";`],
    ["a value imported by a port", "ports/a.ts", `import { x } from "../domain/b.ts";`],
    ["adapters outside of the wiring", "cli/commands/a.ts", `import { x } from "../../adapters/store/b.ts";`],
    ["the process", "usecases/a.ts", `process.exit(1);`],
    ["the environment", "repository/a.ts", `const home = process.env["HOME"];`],
    ["the process by another name", "repository/a.ts", `globalThis.process.exit(1);`],
    ["the console", "domain/a.ts", `console.log(1);`],
    ["the clock", "usecases/a.ts", `const now = Date.now();`],
    ["the time", "usecases/a.ts", `const now = new Date();`],
    ["the time as text", "usecases/a.ts", `const now = Date();`],
    ["chance", "repository/a.ts", `const id = Math.random();`],
    ["Node's Buffer in the domain", "domain/a.ts", `export const empty = Buffer.alloc(0);`],
    ["Buffer as a type in the domain", "domain/a.ts", `export type Body = Buffer;`],
    ["a long file", "domain/a.ts", "export const x = 1;\n".repeat(301)],
    ["a folder without a name", "domain/utils/a.ts", ""],
    ["a barrel", "domain/index.ts", ""],
    ["a third level", "adapters/store/file/a.ts", ""],
    ["a room nobody knows", "services/a.ts", ""],
  ])("%s", (_what, file, text) => {
    expect(check({ [file]: text })).toHaveLength(1);
  });

  test("a cycle, through types too", () => {
    const files = {
      "domain/a.ts": `import { b } from "./b.ts";`,
      "domain/b.ts": `import type { C } from "./c.ts";`,
      "domain/c.ts": `import { a } from "./a.ts";`,
    };
    expect(check(files)).toEqual(["cycle: domain/a.ts -> domain/b.ts -> domain/c.ts -> domain/a.ts"]);
  });
});

test("the check lets pass what is allowed", () => {
  const files = {
    "domain/a.ts": `
      export interface Settled { readonly process: string; readonly "console": boolean }
      export const at = (ms: number) => new Date(ms);
      export const of = (x: Settled) => ({ process: x.process, size: x["console"] });
    `,
    "ports/b.ts": `import type { Settled } from "../domain/a.ts";`,
    "repository/c.ts": `import { createHash } from "node:crypto"; import { z } from "zod"; export const b = Buffer.alloc(1);`,
    "usecases/d.ts": `import { b } from "../repository/c.ts"; import { at } from "../domain/a.ts";`,
    "adapters/amqp/e.ts": `import { connect } from "amqplib"; const t = Date.now(); process.cwd();`,
    "adapters/amqp/f.ts": `new Worker(new URL("./e.js", import.meta.url));`,
    "cli/wiring/w.ts": `import { e } from "../../adapters/amqp/e.ts"; const s = await import("../../adapters/amqp/f.ts");`,
    "cli/main.ts": `import { w } from "./wiring/w.ts"; import fs from "node:fs/promises"; console.log(process.argv);`,
    "cli/g.ts": `const version = readFileSync(new URL("../../package.json", import.meta.url));`,
  };
  expect(check(files)).toEqual([]);
});
