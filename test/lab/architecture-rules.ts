import path from "node:path/posix";
import type { Import, SourceFacts } from "./source-facts.ts";

type Room = "domain" | "ports" | "repository" | "usecases" | "adapters" | "cli";

interface RoomRules {
  readonly rooms: readonly Room[];
  /** Packages by name; `node:*` stands for everything of Node, `*` for everything. */
  readonly packages: readonly string[];
  /** May ask for time, chance, environment, console and process itself. */
  readonly meetsTheWorld: boolean;
}

/** Who may import whom. */
const RULES: Readonly<Record<Room, RoomRules>> = {
  domain: { rooms: ["domain"], packages: [], meetsTheWorld: false },
  ports: { rooms: ["domain", "ports"], packages: [], meetsTheWorld: false },
  repository: {
    rooms: ["domain", "ports", "repository"],
    packages: ["node:crypto", "node:buffer", "zod"],
    meetsTheWorld: false,
  },
  usecases: { rooms: ["domain", "ports", "repository", "usecases"], packages: [], meetsTheWorld: false },
  adapters: { rooms: ["domain", "ports", "adapters"], packages: ["*"], meetsTheWorld: true },
  cli: {
    rooms: ["domain", "ports", "usecases", "cli"],
    packages: ["node:*", "commander", "zod", "yaml", "cli-progress"],
    meetsTheWorld: true,
  },
};

const WIRING = "cli/wiring/";
const MAX_LINES = 300;
const NAMELESS_FOLDERS = new Set(["utils", "util", "helpers", "common", "shared", "lib"]);
const NAMELESS_FILES = new Set(["index.ts", "types.ts", "utils.ts", "helpers.ts", "common.ts"]);

/** Every way in which these files break the architecture, one line each; an empty list is what a test wants. */
export function violations(files: readonly SourceFacts[]): string[] {
  return [
    ...files.flatMap((file) => [...placeOf(file), ...importsOf(file), ...worldOf(file)]),
    ...cyclesOf(files),
  ];
}

function placeOf(file: SourceFacts): string[] {
  const folders = file.path.split("/").slice(0, -1);
  const room = folders[0] ?? "";
  return [
    ...(room in RULES ? [] : [`${file.path}: no room of the architecture`]),
    ...(folders.length > 2 ? [`${file.path}: more than two levels deep`] : []),
    ...folders
      .filter((name) => NAMELESS_FOLDERS.has(name))
      .map((name) => `${file.path}: a folder called ${name}`),
    ...(NAMELESS_FILES.has(path.basename(file.path)) ? [`${file.path}: a name that says nothing`] : []),
    ...(file.lines > MAX_LINES ? [`${file.path}: ${file.lines} lines, more than ${MAX_LINES}`] : []),
  ];
}

function importsOf(file: SourceFacts): string[] {
  const room = roomOf(file.path);
  if (room === undefined) return [];
  return file.imports
    .filter((one) => !isAllowed(file.path, room, one))
    .map((one) => `${file.path}: imports ${one.from}`);
}

function isAllowed(from: string, room: Room, { from: wanted, typeOnly }: Import): boolean {
  if (room === "ports" && !typeOnly) return false;
  if (!wanted.startsWith(".")) return RULES[room].packages.some((name) => covers(name, wanted));
  const target = resolve(from, wanted);
  if (target === "../package.json") return room === "cli"; // the version it tells
  if (target.startsWith("../")) return false;
  const targetRoom = roomOf(target);
  if (targetRoom === undefined) return false;
  return RULES[room].rooms.includes(targetRoom) || (targetRoom === "adapters" && from.startsWith(WIRING));
}

function covers(allowed: string, wanted: string): boolean {
  if (allowed === "*") return wanted !== "unknown";
  if (allowed.endsWith("*")) return wanted.startsWith(allowed.slice(0, -1));
  return wanted === allowed || wanted.startsWith(`${allowed}/`);
}

function worldOf(file: SourceFacts): string[] {
  const room = roomOf(file.path);
  if (room === undefined || RULES[room].meetsTheWorld) return [];
  const forbidden = file.globals.filter((name) => name !== "Buffer" || room === "domain");
  return forbidden.map((name) => `${file.path}: asks the world for ${name}`);
}

/** Cycles among files, imports of types included: each once, as the way round. */
function cyclesOf(files: readonly SourceFacts[]): string[] {
  const targets = new Map(
    files.map((file) => [
      file.path,
      file.imports.filter((one) => one.from.startsWith(".")).map((one) => resolve(file.path, one.from)),
    ]),
  );
  const finished = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file);
    if (start >= 0) found.push(`cycle: ${[...way.slice(start), file].join(" -> ")}`);
    if (start >= 0 || finished.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...way, file]);
    finished.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  return found;
}

function roomOf(file: string): Room | undefined {
  return Object.keys(RULES).find((room): room is Room => file.startsWith(`${room}/`));
}

/** `.js` in a URL of a worker thread names the built file of the `.ts` beside it. */
function resolve(from: string, relative: string): string {
  return path.join(path.dirname(from), relative).replace(/\.js$/, ".ts");
}
