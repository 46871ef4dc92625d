import { randomUUID } from "node:crypto";
import type { MessageFilter } from "../../ports/message-filter.ts";
import type { SegmentCodec } from "../../ports/segment-codec.ts";
import type { Store } from "../../ports/store.ts";
import type { CopyDeps, CopyEvent } from "../../usecases/copy-types.ts";
import type { PruneDeps, PruneEvent } from "../../usecases/prune-removal.ts";
import type { Session } from "../session.ts";
import { wireReading } from "./encryption.ts";
import { wireRun } from "./run.ts";
import { wireCopies, wireStores, type OnFallback } from "./targets.ts";
import { writtenStores } from "./written-stores.ts";

export interface WiredRepository extends AsyncDisposable {
  readonly store: Store;
  readonly codec: SegmentCodec;
}

/** To read from the first target, and what that has not whole from the next one that has. */
export async function wireRepository(
  session: Session,
  targets: readonly string[],
  onFallback: OnFallback,
  read?: (store: Store) => Store,
): Promise<WiredRepository> {
  const opened = read ?? (await openedBy(session));
  const [store, { threadedCodec }] = await Promise.all([
    wireCopies(targets, onFallback, opened),
    import("../../adapters/codec/threaded-codec.ts"),
  ]);
  const codec = threadedCodec({ level: session.settings.compressionLevel });
  return {
    store,
    codec,
    [Symbol.asyncDispose]: async () => codec[Symbol.asyncDispose](),
  };
}

async function openedBy(session: Session): Promise<(store: Store) => Store> {
  const reading = await wireReading(session);
  return (store) => reading.of(store);
}

/** The first target to read from, the others to write to. */
export async function wireCopy(session: Session, report: (event: CopyEvent) => void): Promise<CopyDeps> {
  const { target, uploadRate } = session.settings;
  const [[source, ...destinations], run] = await Promise.all([wireStores(target, uploadRate), wireRun()]);
  const written = await Promise.all(destinations.map(await writtenStores(session, report)));
  return { source, destinations: written, newRepositoryId: randomUUID, ...run, report };
}

/** One target, to remove from. */
export async function wirePrune(target: string, report: (event: PruneEvent) => void): Promise<PruneDeps> {
  const [[store], run] = await Promise.all([wireStores([target]), wireRun()]);
  return { store, ...run, report };
}

/** What `--where` says; null: nothing. Throws USAGE. */
export async function wireFilter({ settings: { where } }: Session): Promise<MessageFilter | null> {
  if (where === null) return null;
  const { celFilter } = await import("../../adapters/expression/cel-filter.ts");
  return celFilter(where);
}
