import picomatch from "picomatch";

import type { NamePattern } from "../domain/selection.ts";

/**
 * Compiles what `--queue` and `--exclude` take. `*` stands for any characters, `?` for one, `[a-z]` and `[!a-z]` for one of a set,
 * `{a,b}` for alternatives. Dots and slashes are characters like any other. A backslash takes the meaning from what follows it.
 * A pattern always matches the queue that is spelled exactly like it.
 */
export function compileQueuePattern(text: string): NamePattern {
  const exact = exactName(text);
  if (exact !== null) return { text, exact, matches: (name) => name === exact };
  const glob = picomatch(withoutPaths(literalParts(text)), {
    dot: true,
    nonegate: true,
    noextglob: true,
    flags: "s",
  });
  return { text, exact, matches: (name) => name === text || glob(withoutPaths(name)) };
}

/** The name a pattern without wildcards stands for; null when it has any. */
function exactName(text: string): string | null {
  const unescaped = text.replaceAll(/\\([^])/g, "");
  return /[*?[{]/.test(unescaped) ? null : text.replaceAll(/\\([^])/g, "$1");
}

/** Takes the special meaning from what only regular expressions and shells know; `[!a]` as picomatch has it. */
function literalParts(text: string): string {
  return text.replaceAll(/\\[^]|\[!|[()|+@"'$^]/g, (part) => {
    if (part === "[!") return "[^";
    return part.startsWith("\\") ? part : `\\${part}`;
  });
}

/** picomatch knows paths: slashes part names, and "." and ".." stand for folders. Queue names have neither. */
function withoutPaths(text: string): string {
  if (text === "." || text === "..") return "\u{1}".repeat(text.length);
  return text.replaceAll("/", "\u{1}");
}
