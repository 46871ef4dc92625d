import { isS3Target, parseS3Location } from "../../domain/s3-location.ts";
import type { Fallback, Store } from "../../ports/store.ts";

export type OnFallback = (fallback: Fallback) => void;

/** Targets alone: their documents, no messages. */
export async function wireStores(targets: readonly string[]): Promise<readonly [Store, ...Store[]]> {
  const [first = ".", ...others] = targets;
  return [await openStore(first), ...(await Promise.all(others.map(openStore)))];
}

/** The same without what opens archives: for documents. */
export async function wireCopies(targets: readonly string[], onFallback: OnFallback): Promise<Store> {
  const { withCopies } = await import("../../adapters/store/with-copies.ts");
  return withCopies(await wireStores(targets), onFallback);
}

/** By what the target's URL begins with; the S3 client is loaded for those who use it. */
async function openStore(target: string): Promise<Store> {
  if (isS3Target(target)) {
    const { s3Store } = await import("../../adapters/store/s3-store.ts");
    return s3Store(parseS3Location(target));
  }
  const { fileStore } = await import("../../adapters/store/file-store.ts");
  return fileStore(target);
}
