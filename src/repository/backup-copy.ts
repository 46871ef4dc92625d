import { Buffer } from "node:buffer";
import { z } from "zod";
import type { BackupId } from "../domain/backup-id.ts";
import { hasCode } from "../domain/errors.ts";
import { FORMAT } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { backupKey, BEGUN_NAME, MANIFEST_NAME } from "./backup-folder.ts";
import { bytesBody, readObject, readObjectOrNull } from "./objects.ts";
import { decodeDocument, encodeDocument } from "./sealed-document.ts";
import { requireManifest } from "./stored-check.ts";

const begunSchema = z.object({ begunAt: z.string() });

/**
 * Reserves the id of a backup that exists elsewhere, begun at that time; who is interrupted finds his own reservation again, and a
 * copy the one of the run that made the backup. mine: it is reserved. others: by somebody else. committed: there is a backup.
 */
export async function reserveCopy(
  store: Store,
  id: BackupId,
  begunAt: string,
  options: Abortable = {},
): Promise<"mine" | "others" | "committed"> {
  const key = backupKey(id, BEGUN_NAME);
  try {
    const document = encodeDocument({ format: FORMAT, id, begunAt });
    await store.put(key, bytesBody(document), { ...options, ifAbsent: true });
  } catch (error) {
    if (!hasCode(error, "OBJECT_EXISTS")) throw error;
    if ((await begunAtOf(store, key, options)) !== begunAt) return "others";
  }
  const manifest = await readObjectOrNull(store, backupKey(id, MANIFEST_NAME), options);
  return manifest === null ? "mine" : "committed";
}

/**
 * Makes the copy exist: everything the manifest names must be durable at the store already. `replace`: over a damaged one.
 * False: another manifest is there, and stays.
 */
export async function putCopiedManifest(
  store: Store,
  id: BackupId,
  bytes: Uint8Array,
  { replace, ...options }: Abortable & { readonly replace: boolean },
): Promise<boolean> {
  const key = backupKey(id, MANIFEST_NAME);
  try {
    await store.put(key, bytesBody(bytes), { ...options, ifAbsent: !replace });
  } catch (error) {
    if (!hasCode(error, "OBJECT_EXISTS")) throw error;
    // A put that was tried again may find its own first attempt.
    if (!Buffer.from(await readObject(store, key, options)).equals(bytes)) return false;
  }
  await requireManifest(store, key, bytes, options);
  // The reservation has no meaning any more; left behind, `verify` notes it.
  await store.delete(backupKey(id, BEGUN_NAME)).catch(() => undefined);
  return true;
}

/** What `begun.json` says; null: it does not say, or is gone. */
export async function begunAtOf(store: Store, key: string, options: Abortable): Promise<string | null> {
  const bytes = await readObjectOrNull(store, key, options);
  if (bytes === null) return null;
  try {
    return begunSchema.parse(decodeDocument(bytes, key)).begunAt;
  } catch (error) {
    if (error instanceof z.ZodError || hasCode(error, "MANIFEST_DAMAGED", "FORMAT_NEWER")) return null;
    throw error;
  }
}
