import type { Manifest } from "../domain/manifest.ts";
import type { ObjectBody, Store } from "../ports/store.ts";
import { KeptBases } from "../repository/kept-bases.ts";

/** For so long what no later backup needs is kept as well: a run may be building on it. */
const KEPT_MS = 2 * 86_400_000;

export interface BaseKeepingDeps {
  /** Where it is kept, on this machine alone, what the next incremental is compared with where there is no key; null: nowhere. */
  readonly bases: Store | null;
  now(): Date;
}

/**
 * After the commit of an encrypted backup: its opened manifest and its index (null: it is not encrypted) are kept, and those that it makes
 * needless are not. Whatever fails is told, one sentence, and takes nothing back.
 */
export async function keepBase(
  deps: BaseKeepingDeps,
  manifest: Manifest,
  index: ObjectBody | null,
): Promise<readonly string[]> {
  const { bases } = deps;
  if (bases === null || index === null) return [];
  try {
    const kept = new KeptBases(bases);
    await kept.keep(manifest, index);
    // Of one that was made of another's messages it cannot be told what comes after it.
    if (manifest.compactedFrom !== undefined) return [];
    const seals = [manifest.stored?.sha256 ?? "", ...(manifest.needs ?? []).map(({ sha256 }) => sha256)];
    await kept.removeOthers(manifest.set, new Set(seals), new Date(deps.now().getTime() - KEPT_MS));
    return [];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [`what an incremental without a key is compared with could not be kept on this machine: ${why}`];
  }
}
