import { hasCode } from "../../domain/errors.ts";
import type { Store } from "../../ports/store.ts";

/** The same store; `onRefused` is told when it does not let anything be removed, once. */
export function withRefusedDeletes(store: Store, onRefused: (location: string) => void): Store {
  let told = false;
  return {
    ...store,
    delete: async (key, options) => {
      try {
        await store.delete(key, options);
      } catch (error) {
        if (!told && hasCode(error, "TARGET_REFUSED")) {
          told = true;
          onRefused(store.location);
        }
        throw error;
      }
    },
  };
}
