import { Buffer } from "node:buffer";
import { hasCode } from "../domain/errors.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { GetOptions, ObjectBody, Store } from "../ports/store.ts";

/** A body held in memory. */
export function bytesBody(bytes: Uint8Array): ObjectBody {
  return {
    bytes: bytes.length,
    async *open() {
      yield bytes;
    },
  };
}

/** The whole object, or its range. Throws as `get`. */
export async function readObject(
  store: Pick<Store, "get">,
  key: string,
  options: GetOptions = {},
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of store.get(key, options)) parts.push(part);
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

/** null: the store says that it is not there, which is all that null means. */
export async function readObjectOrNull(
  store: Pick<Store, "get">,
  key: string,
  options: Abortable = {},
): Promise<Uint8Array | null> {
  try {
    return await readObject(store, key, options);
  } catch (error) {
    if (hasCode(error, "OBJECT_MISSING")) return null;
    throw error;
  }
}
