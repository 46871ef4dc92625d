import { createHash } from "node:crypto";
import { BackupError } from "../domain/errors.ts";
import type { VolumeEntry } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";

/**
 * A stored file as it was stored. The last part is given when all of them are known to be right: whoever took every part has the
 * file, and nobody else has all its bytes. Throws ARCHIVE_DAMAGED, OBJECT_MISSING, and as `get`.
 */
export async function* checkedBytes(
  store: Pick<Store, "get" | "location">,
  key: string,
  file: VolumeEntry,
  options: Abortable = {},
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let bytes = 0;
  let held: Uint8Array | null = null;
  for await (const part of store.get(key, options)) {
    hash.update(part);
    bytes += part.length;
    if (bytes > file.bytes) break;
    if (held !== null) yield held;
    held = part;
  }
  if (bytes !== file.bytes || hash.digest("hex") !== file.sha256) {
    throw new BackupError("ARCHIVE_DAMAGED", `${key} at ${store.location} is not what was stored`, {
      hint: "mqbackup verify shows all that is damaged.",
    });
  }
  if (held !== null) yield held;
}
