import { BackupError } from "../../src/domain/errors.ts";
import type { FoundLock, ObjectLock } from "../../src/domain/object-lock.ts";
import { memoryStore, type MemoryStore } from "./memory-store.ts";

export interface LockingStore extends MemoryStore {
  /** Of what is there. */
  readonly held: Map<string, FoundLock>;
  /** Keys of what was asked about, and of what was locked for longer. */
  readonly asked: string[];
  readonly extended: string[];
}

/** A store in memory that can lock, and refuses what would not only lengthen a lock. */
export function lockingStore(location?: string): LockingStore {
  const store = memoryStore(location);
  const held = new Map<string, FoundLock>();
  const [asked, extended]: [string[], string[]] = [[], []];
  return {
    ...store,
    held,
    asked,
    extended,
    put: async (key, body, options = {}) => {
      await store.put(key, body, options);
      held.delete(key);
      if (options.lock !== undefined) held.set(key, options.lock);
    },
    locks: {
      check: async () => undefined,
      of: async (key) => {
        asked.push(key);
        return held.get(key) ?? null;
      },
      extend: async (key, lock) => {
        if (isOther(lock, held.get(key)))
          throw new BackupError("TARGET_REFUSED", `cannot lock ${key} for less`);
        extended.push(key);
        held.set(key, lock);
      },
    },
  };
}

function isOther({ mode, until }: ObjectLock, found: FoundLock | undefined): boolean {
  if (found === undefined) return false;
  return found.until === null || until < found.until || found.mode !== mode;
}
