import { Buffer } from "node:buffer";
import type { BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { backupKey, folderPrefix } from "./backup-folder.ts";
import { readObjectOrNull } from "./objects.ts";
import { ifAllowed } from "./removal.ts";

/** What a store says it has kept is looked for, before anybody relies on it. One listing, or one small object read. */

/** These files of a backup are listed with their sizes. Other bytes of the same length are not seen. Throws TARGET_FAILED, and as the store. */
export async function requireFiles(
  store: Pick<Store, "list" | "location">,
  id: BackupId,
  sizes: ReadonlyMap<string, number>,
  options: Abortable = {},
): Promise<void> {
  const found = new Map<string, number>();
  for await (const { key, bytes } of store.list(folderPrefix(id), options)) found.set(key, bytes);
  for (const [name, bytes] of sizes) {
    const key = backupKey(id, name);
    const there = found.get(key);
    if (there === undefined) throw notKept(key, store, "is not there");
    if (there !== bytes) throw notKept(key, store, `has ${there} bytes there instead of ${bytes}`);
  }
}

/** The manifest is there as it was put; one that is not is removed: it would be a backup that is damaged. Throws as `requireFiles`. */
export async function requireManifest(
  store: Store,
  key: string,
  bytes: Uint8Array,
  options: Abortable = {},
): Promise<void> {
  const kept = await readObjectOrNull(store, key, options);
  if (kept !== null && Buffer.from(kept).equals(bytes)) return;
  if (kept !== null) await ifAllowed(async () => store.delete(key, options));
  throw notKept(key, store, kept === null ? "is not there" : "is not as it was put");
}

function notKept(key: string, { location }: Pick<Store, "location">, state: string): BackupError {
  return new BackupError("TARGET_FAILED", `${key} was put to ${location} without an error, and ${state}`, {
    hint: "Look what the target's storage does with what it says it has kept.",
  });
}
