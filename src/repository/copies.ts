import { failedAt, failedEverywhere, type FailedCopy } from "../domain/copy-failures.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";

/** From the first copy from which the object can be read as it should be; its owner is told when that is not the first. */
export async function fromAnyCopy<T, S extends Pick<Store, "get" | "copies">>(
  store: S,
  key: string,
  read: (copy: S | Store) => Promise<T>,
): Promise<T> {
  const { copies } = store;
  if (copies === undefined) return read(store);
  const failed: FailedCopy[] = [];
  for (const copy of copies.stores) {
    try {
      const result = await read(copy);
      for (const { location, error } of failed)
        copies.onFallback({ key, from: location, to: copy.location, why: error });
      return result;
    } catch (error) {
      failed.push(failedAt(copy, error));
    }
  }
  throw failedEverywhere(key, failed);
}

/** Of each object below the prefix the sizes it has at the copies that can be listed. Throws when none can. */
export async function sizesAtCopies(
  store: Pick<Store, "list" | "copies">,
  prefix: string,
  options: Abortable = {},
): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const sizes = new Map<string, Set<number>>();
  const failed: FailedCopy[] = [];
  const take = async (copy: Pick<Store, "list">): Promise<void> => {
    for await (const { key, bytes } of copy.list(prefix, options))
      sizes.set(key, (sizes.get(key) ?? new Set<number>()).add(bytes));
  };
  const { copies } = store;
  if (copies === undefined) await take(store);
  for (const copy of copies?.stores ?? []) {
    try {
      await take(copy);
    } catch (error) {
      failed.push(failedAt(copy, error));
    }
  }
  if (copies !== undefined && failed.length === copies.stores.length) throw failedEverywhere(prefix, failed);
  return sizes;
}
