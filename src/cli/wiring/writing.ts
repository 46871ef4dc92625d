import { randomUUID } from "node:crypto";
import type { Store } from "../../ports/store.ts";
import type { BackupDeps, BackupEvent } from "../../usecases/backup-types.ts";
import type { CompactDeps, CompactEvent } from "../../usecases/compact-types.ts";
import type { LeaseEvent } from "../../usecases/held-lease.ts";
import type { Session } from "../session.ts";
import { spoolPlace } from "../spool-place.ts";
import { wireBroker, type Wired } from "./broker.ts";
import { wireSealing } from "./encryption.ts";
import { wireRun } from "./run.ts";
import { wireState } from "./state.ts";
import { wireStores } from "./targets.ts";
import { writtenStores } from "./written-stores.ts";

export async function wireBackup(
  session: Session,
  report: (event: BackupEvent) => void,
): Promise<Wired<BackupDeps>> {
  const broker = await wireBroker(session);
  const state = await wireState(session);
  const writing = await wireWriting(session, state, report);
  return {
    access: broker.access,
    deps: { ...writing, journals: state, directory: broker.directory, reader: broker.reader, report },
    [Symbol.asyncDispose]: async () => {
      broker[Symbol.dispose]();
      await writing.codec[Symbol.asyncDispose]();
    },
  };
}

export interface WiredCompact extends AsyncDisposable {
  readonly deps: CompactDeps;
}

export async function wireCompact(
  session: Session,
  report: (event: CompactEvent) => void,
): Promise<WiredCompact> {
  const writing = await wireWriting(session, await wireState(session), report);
  return {
    deps: { ...writing, report },
    [Symbol.asyncDispose]: async () => writing.codec[Symbol.asyncDispose](),
  };
}

/** What it takes to put a backup to targets. */
async function wireWriting(session: Session, state: Store, report: (event: LeaseEvent) => void) {
  const { settings } = session;
  const [{ localSpool, sweepDeadSpools }, { threadedCodec }, run, [first, ...others]] = await Promise.all([
    import("../../adapters/archive/local-spool.ts"),
    import("../../adapters/codec/threaded-codec.ts"),
    wireRun(),
    wireStores(settings.target, settings.uploadRate),
  ]);
  const sealing = await wireSealing(session, state);
  const written = await writtenStores(session, report);
  const { directory, ...options } = spoolPlace(settings);
  await sweepDeadSpools(directory, options);
  return {
    stores: [await written(first), ...(await Promise.all(others.map(written)))] as const,
    ...sealing,
    openSpool: () => localSpool(directory, options),
    codec: threadedCodec({ level: settings.compressionLevel }),
    newRepositoryId: () => randomUUID(),
    ...run,
  };
}
