import { BackupError } from "../../src/domain/errors.ts";
import type { Store } from "../../src/ports/store.ts";

interface Kept {
  readonly bytes: Buffer;
  readonly modifiedAt: Date;
}

export type MemoryStore = Store & { readonly objects: Map<string, Kept> };

/** A store in memory, true to the port's contract. `objects` may be tampered with. */
export function memoryStore(location = "memory"): MemoryStore {
  const objects = new Map<string, Kept>();
  return {
    location,
    objects,
    put: async (key, body, { ifAbsent = false, signal } = {}) => {
      signal?.throwIfAborted();
      const parts: Uint8Array[] = [];
      for await (const part of body.open()) {
        signal?.throwIfAborted();
        parts.push(new Uint8Array(part));
      }
      const bytes = Buffer.concat(parts);
      if (bytes.length !== body.bytes) throw new BackupError("TARGET_FAILED", `${key} has another length`);
      if (ifAbsent && objects.has(key)) throw new BackupError("OBJECT_EXISTS", `${key} is already there`);
      objects.set(key, { bytes, modifiedAt: new Date() });
    },
    get: async function* get(key, { range, signal } = {}) {
      signal?.throwIfAborted();
      const kept = objects.get(key);
      if (kept === undefined) throw new BackupError("OBJECT_MISSING", `there is no ${key}`);
      const { offset, length } = range ?? { offset: 0, length: kept.bytes.length };
      if (offset + length > kept.bytes.length)
        throw new BackupError("ARCHIVE_DAMAGED", `${key} is too short`);
      // In two parts, as real ones come in parts; memory of their own.
      const half = offset + Math.floor(length / 2);
      for (const part of [kept.bytes.subarray(offset, half), kept.bytes.subarray(half, offset + length)]) {
        signal?.throwIfAborted();
        if (part.length > 0) yield new Uint8Array(part);
      }
    },
    list: async function* list(prefix, { signal } = {}) {
      signal?.throwIfAborted();
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix));
      for (const key of keys.toSorted((a, b) => (a < b ? -1 : 1))) {
        signal?.throwIfAborted();
        const kept = objects.get(key);
        if (kept !== undefined) yield { key, bytes: kept.bytes.length, modifiedAt: kept.modifiedAt };
      }
    },
    keys: async function* keys(prefix, { signal } = {}) {
      signal?.throwIfAborted();
      const found = [...objects.keys()].filter((key) => key.startsWith(prefix));
      for (const key of found.toSorted((a, b) => (a < b ? -1 : 1))) {
        signal?.throwIfAborted();
        if (objects.has(key)) yield key;
      }
    },
    delete: async (key, { signal } = {}) => {
      signal?.throwIfAborted();
      objects.delete(key);
    },
    capacity: async ({ signal } = {}) => {
      signal?.throwIfAborted();
      return null;
    },
  };
}
