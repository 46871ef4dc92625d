import { Buffer } from "node:buffer";
import { BackupError, hasCode } from "../domain/errors.ts";
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

/** The whole of one that need not be. */
export async function readBody(body: ObjectBody): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body.open()) parts.push(part);
  return Buffer.concat(parts);
}

export interface ReadOptions extends GetOptions {
  /** Of a document; a larger one is damaged. Default: any size. */
  readonly maxBytes?: number;
}

/** The whole object, or its range. Throws as `get`; MANIFEST_DAMAGED. */
export async function readObject(
  store: Pick<Store, "get">,
  key: string,
  { maxBytes = Number.POSITIVE_INFINITY, ...options }: ReadOptions = {},
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of store.get(key, options)) {
    bytes += part.length;
    if (bytes > maxBytes) {
      throw new BackupError("MANIFEST_DAMAGED", `${key} is damaged: it has more than ${maxBytes} bytes`, {
        hint: "Take the backup from another copy of the repository.",
      });
    }
    parts.push(part);
  }
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

/** null: the store says that it is not there, which is all that null means. */
export async function readObjectOrNull(
  store: Pick<Store, "get">,
  key: string,
  options: ReadOptions = {},
): Promise<Uint8Array | null> {
  try {
    return await readObject(store, key, options);
  } catch (error) {
    if (hasCode(error, "OBJECT_MISSING")) return null;
    throw error;
  }
}
