/** What is in a folder; Node's Dirent is one. */
export interface TreeEntry {
  readonly name: string;
  isDirectory(): boolean;
  isFile(): boolean;
}

/** Folders looked into at once: what a listing waits for is one answer after another. */
const AT_ONCE = 16;

/**
 * Keys of files below `prefix`, ascending by code unit, some at a time. Names beginning with a dot are not ours. `entriesOf` is asked
 * for the root by "", for another folder by its key without a slash at its end; an absent one is empty.
 */
export async function* walkTree(
  prefix: string,
  entriesOf: (folder: string) => Promise<readonly TreeEntry[]>,
): AsyncGenerator<readonly string[]> {
  yield* keysBelow({ prefix, entriesOf }, wanted(prefix, "", await entriesOf("")));
}

interface Walk {
  readonly prefix: string;
  readonly entriesOf: (folder: string) => Promise<readonly TreeEntry[]>;
}

/** A file, or with a slash at its end a folder. */
type Name = string;

async function* keysBelow(walking: Walk, names: readonly Name[]): AsyncGenerator<readonly string[]> {
  const { prefix, entriesOf } = walking;
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const some = names.slice(at, at + AT_ONCE);
    const looked = await Promise.all(
      some.map(async (name) =>
        isFolder(name) ? wanted(prefix, name, await entriesOf(name.slice(0, -1))) : null,
      ),
    );
    let keys: string[] = [];
    for (const [nth, name] of some.entries()) {
      const inside = looked[nth] ?? null;
      if (inside === null) keys.push(name);
      if (inside?.some(isFolder) !== true) {
        keys.push(...(inside ?? []));
        continue;
      }
      yield keys;
      keys = [];
      yield* keysBelow(walking, inside);
    }
    yield keys;
  }
}

/** What of a folder may have to do with the prefix, ascending. */
function wanted(prefix: string, key: string, items: readonly TreeEntry[]): readonly Name[] {
  return items
    .filter((item) => !item.name.startsWith(".") && (item.isDirectory() || item.isFile()))
    .map((item) => `${key}${item.name}${item.isDirectory() ? "/" : ""}`)
    .filter((name) => name.startsWith(prefix) || (isFolder(name) && prefix.startsWith(name)))
    .toSorted((a, b) => (a < b ? -1 : 1));
}

function isFolder(name: Name): boolean {
  return name.endsWith("/");
}
