/** What `--queue` or `--exclude` named. */
export interface QueuePattern {
  /** As the operator wrote it. */
  readonly text: string;
  /** The one name it stands for; null when it holds wildcards. */
  readonly exact: string | null;
  readonly matches: (name: string) => boolean;
}

/**
 * `*` stands for any characters, `?` for one, `[a-z]` and `[!a-z]` for one of a set, `{a,b}` for alternatives. Dots and slashes are
 * characters like any other. A backslash takes the meaning from what follows it, and a bracket without its partner has none.
 * A pattern always matches the queue that is spelled exactly like it.
 */
export function compileQueuePattern(text: string): QueuePattern {
  const source = regularExpression(text);
  if (source === null) {
    const exact = text.replaceAll(/\\([^])/g, "$1");
    return { text, exact, matches: (name) => name === exact };
  }
  const glob = new RegExp(`^(?:${source})$`, "su");
  return { text, exact: null, matches: (name) => name === text || glob.test(name) };
}

const TOKEN =
  /\\(?<escaped>[^])|\[(?<not>!?)(?<set>(?:\\[^]|[^\\\]])+)\]|\{(?<choice>(?:\\[^]|[^\\{}])*)\}|[^]/gu;

/** null: nothing in it is a wildcard. */
function regularExpression(text: string): string | null {
  let wild = false;
  let source = "";
  for (const { 0: token, groups = {} } of text.matchAll(TOKEN)) {
    const { escaped, not, set, choice } = groups;
    const alternatives = choice === undefined ? [] : splitAlternatives(choice);
    if (escaped !== undefined) {
      source += literal(escaped);
    } else if (set !== undefined) {
      wild = true;
      source += `[${not === "!" ? "^" : ""}${characterSet(set)}]`;
    } else if (alternatives.length > 1) {
      wild = true;
      source += `(?:${alternatives.map((part) => regularExpression(part) ?? literalText(part)).join("|")})`;
    } else if (choice !== undefined) {
      const inside = regularExpression(choice);
      wild ||= inside !== null;
      source += literal("{") + (inside ?? literalText(choice)) + literal("}");
    } else if (token === "*" || token === "?") {
      wild = true;
      source += token === "*" ? ".*" : ".";
    } else {
      source += literal(token);
    }
  }
  return wild ? source : null;
}

function splitAlternatives(choice: string): readonly string[] {
  return (choice.match(/,|(?:\\[^]|[^\\,])+/gu) ?? []).reduce<string[]>(
    (parts, piece) =>
      piece === "," ? [...parts, ""] : [...parts.slice(0, -1), (parts.at(-1) ?? "") + piece],
    [""],
  );
}

/** Ranges stay ranges; one that runs backwards is three characters. */
function characterSet(set: string): string {
  return set.replaceAll(/(\\[^]|[^\\])(?:-(\\[^]|[^\\]))?/gu, (_, from: string, to?: string) => {
    const [first, last] = [unescaped(from), to === undefined ? undefined : unescaped(to)];
    if (last === undefined) return literal(first);
    if ((first.codePointAt(0) ?? 0) > (last.codePointAt(0) ?? 0))
      return literal(first) + literal("-") + literal(last);
    return `${literal(first)}-${literal(last)}`;
  });
}

function literalText(text: string): string {
  return text.replaceAll(/\\[^]|[^]/gu, (piece) => literal(unescaped(piece)));
}

function unescaped(piece: string): string {
  return piece.length > 1 && piece.startsWith("\\") ? piece.slice(1) : piece;
}

function literal(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
