import { parseAst } from "vitest/node";

/** What one source file says about itself, as far as the architecture is concerned. */
export interface SourceFacts {
  /** Path below `src/`, with `/`. */
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  /** Words of the world it uses without importing them: `process`, `console`, `Buffer`, `Date.now`, ... */
  readonly globals: readonly string[];
}

export interface Import {
  /** As written: `./a.ts`, `node:fs`, `zod`. `unknown` where it is not a literal. */
  readonly from: string;
  readonly typeOnly: boolean;
}

/** Reads one TypeScript file's text by its syntax tree: every kind of import, and globals that ask the world. */
export function factsOf(path: string, text: string): SourceFacts {
  const imports: Import[] = [];
  const globals = new Set<string>();
  for (const { node, parent, key } of nodesOf(parseAst(text, { lang: "ts" }))) {
    const found = importIn(node);
    if (found !== undefined) imports.push(found);
    const global = globalIn(node, parent, key);
    if (global !== undefined) globals.add(global);
  }
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return { path, lines, imports, globals: [...globals] };
}

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

interface Visit {
  readonly node: Node;
  readonly parent: Node | undefined;
  /** Under which name the parent holds the node. */
  readonly key: string;
}

function* nodesOf(value: unknown, parent?: Node, key = ""): Generator<Visit> {
  if (Array.isArray(value)) {
    for (const item of value) yield* nodesOf(item, parent, key);
  } else if (isNode(value)) {
    yield { node: value, parent, key };
    for (const [name, child] of Object.entries(value)) yield* nodesOf(child, value, name);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function importIn(node: Node): Import | undefined {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
      return isNode(node["source"])
        ? { from: literal(node["source"]), typeOnly: isTypeOnly(node) }
        : undefined;
    case "TSImportType":
      return { from: literal(node["source"]), typeOnly: true };
    case "ImportExpression":
      return { from: literal(node["source"]), typeOnly: false };
    case "TSExternalModuleReference":
      return { from: literal(node["expression"]), typeOnly: false };
    case "CallExpression":
      return isRequire(node["callee"]) ? { from: argument(node), typeOnly: false } : undefined;
    case "NewExpression": // new URL("./thread.js", import.meta.url): how worker threads are named
      return nameOf(node["callee"]) === "URL" && argument(node).startsWith(".")
        ? { from: argument(node), typeOnly: false }
        : undefined;
    default:
      return undefined;
  }
}

/** `require` itself, or `createRequire(…)` called at once. */
function isRequire(callee: unknown): boolean {
  return nameOf(callee) === "require" || (isNode(callee) && nameOf(callee["callee"]) === "createRequire");
}

function isTypeOnly(node: Node): boolean {
  if (node["importKind"] === "type" || node["exportKind"] === "type") return true;
  const specifiers = Array.isArray(node["specifiers"]) ? node["specifiers"].filter(isNode) : [];
  return (
    specifiers.length > 0 && specifiers.every((one) => (one["importKind"] ?? one["exportKind"]) === "type")
  );
}

const WORLD = new Set(["process", "console", "Buffer"]);

function globalIn(node: Node, parent: Node | undefined, key: string): string | undefined {
  const name = nameOf(node);
  if (name !== undefined && WORLD.has(name)) return isMention(parent, key) ? undefined : name;
  if (node.type === "MemberExpression") {
    const property = nameOf(node["property"]);
    if (nameOf(node["object"]) === "globalThis" && property !== undefined && WORLD.has(property))
      return property;
    const path = `${nameOf(node["object"])}.${property}`;
    return path === "Date.now" || path === "Math.random" ? path : undefined;
  }
  const isDate = nameOf(node["callee"]) === "Date";
  if (node.type === "CallExpression" && isDate) return "Date()";
  return node.type === "NewExpression" && isDate && isEmpty(node["arguments"]) ? "new Date()" : undefined;
}

/** A name that is no use of the global: `a.process`, `{ process: 1 }`, a method or a member of a type called so. */
function isMention(parent: Node | undefined, key: string): boolean {
  if (parent === undefined || parent["computed"] === true) return false;
  if (parent.type === "MemberExpression") return key === "property";
  if (parent.type === "Property") return key === "key" && parent["shorthand"] !== true;
  return key === "key" || (key === "imported" && parent.type === "ImportSpecifier");
}

function nameOf(value: unknown): string | undefined {
  return isNode(value) && value.type === "Identifier" ? String(value["name"]) : undefined;
}

function literal(value: unknown): string {
  if (isNode(value) && value.type === "Literal" && typeof value["value"] === "string") return value["value"];
  return "unknown";
}

function argument(call: Node): string {
  return Array.isArray(call["arguments"]) ? literal(call["arguments"][0]) : "unknown";
}

function isEmpty(list: unknown): boolean {
  return Array.isArray(list) && list.length === 0;
}
