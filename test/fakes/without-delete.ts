import { BackupError } from "../../src/domain/errors.ts";
import { memoryStore, type MemoryStore } from "./memory-store.ts";

/** A store whose user may put and read, and remove nothing. `tidying`: the same objects for one who may. */
export function withoutDelete(location?: string): MemoryStore & { readonly tidying: MemoryStore } {
  const tidying = memoryStore(location);
  return {
    ...tidying,
    tidying,
    delete: async (key, { signal } = {}) => {
      signal?.throwIfAborted();
      throw new BackupError("TARGET_REFUSED", `cannot delete ${key}`);
    },
  };
}
