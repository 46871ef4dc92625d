import { BackupError } from "./errors.ts";

/** `old=new`: `*` on the left stands for any run of characters, each `*` on the right for what the one at its place stood for. */
export interface QueueMapping {
  /** As it was written. */
  readonly text: string;
  /** The new name, or null when this mapping does not speak of the queue. */
  readonly rename: (name: string) => string | null;
}

/** `\=`, `\*` and `\\` stand for the characters themselves. Throws USAGE. */
export function parseQueueMapping(text: string): QueueMapping {
  const [left, right, ...more] = splitSides(text);
  if (
    left === undefined ||
    right === undefined ||
    more.length > 0 ||
    sideLength(left) === 0 ||
    sideLength(right) === 0
  ) {
    throw new BackupError("USAGE", `queue mapping ${JSON.stringify(text)} is not of the form old=new`, {
      hint: "Write a name that has a = of its own as \\=.",
    });
  }
  if (right.length > left.length) {
    throw new BackupError(
      "USAGE",
      `queue mapping ${JSON.stringify(text)} has more * on the right than on the left`,
      {
        hint: "Each * on the right takes what the * at the same place on the left stood for.",
      },
    );
  }
  return { text, rename: (name) => rename(name, left, right) };
}

/** The name of the first mapping that speaks of it, else the name itself. */
export function mapQueueName(name: string, mappings: readonly QueueMapping[]): string {
  for (const mapping of mappings) {
    const renamed = mapping.rename(name);
    if (renamed !== null) return renamed;
  }
  return name;
}

/** The literal texts between the stars of one side. */
type Side = readonly string[];

function splitSides(text: string): Side[] {
  const sides: string[][] = [[""]];
  for (let at = 0; at < text.length; at++) {
    const escaped = text[at] === "\\" && at + 1 < text.length && "\\*=".includes(text[at + 1] ?? "");
    const character = (escaped ? text[++at] : text[at]) ?? "";
    const side = sides.at(-1) ?? [];
    if (!escaped && character === "=") sides.push([""]);
    else if (!escaped && character === "*") side.push("");
    else side[side.length - 1] += character;
  }
  return sides;
}

function sideLength(side: Side): number {
  return side.length - 1 + side.join("").length;
}

function rename(name: string, left: Side, right: Side): string | null {
  const stars = match(name, left);
  if (stars === null) return null;
  return right.map((literal, i) => (i === 0 ? literal : (stars[i - 1] ?? "") + literal)).join("");
}

/** What each star stood for, the first ones as short as possible; null: no match. */
function match(name: string, side: Side): string[] | null {
  const first = side[0] ?? "";
  const last = side.at(-1) ?? "";
  if (side.length === 1) return name === first ? [] : null;
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return null;
  const stars: string[] = [];
  let at = first.length;
  const end = name.length - last.length;
  for (const literal of side.slice(1, -1)) {
    const found = name.indexOf(literal, at);
    if (found < 0 || found + literal.length > end) return null;
    stars.push(name.slice(at, found));
    at = found + literal.length;
  }
  stars.push(name.slice(at, end));
  return stars;
}
