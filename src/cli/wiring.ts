import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

import { isS3Target, parseS3Location } from "../domain/s3-location.ts";
import type { BrokerDirectory } from "../ports/broker-directory.ts";
import type { MessageFilter } from "../ports/message-filter.ts";
import type { QueueReader } from "../ports/queue-reader.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Fallback, Store } from "../ports/store.ts";
import type { BackupDeps, BackupEvent } from "../usecases/backup-types.ts";
import type { CompactDeps, CompactEvent } from "../usecases/compact-types.ts";
import type { CheckDeps } from "../usecases/check.ts";
import type { CopyDeps, CopyEvent } from "../usecases/copy-types.ts";
import type { DrillDeps, DrillEvent } from "../usecases/drill-types.ts";
import type { PruneDeps, PruneEvent } from "../usecases/prune-removal.ts";
import type { RestoreDeps, RestoreEvent } from "../usecases/restore-types.ts";
import { brokerAccess, type BrokerAccess } from "./broker-access.ts";
import { endpointOf } from "./broker-endpoint.ts";
import type { ReportDeps, RunReport } from "./run-report.ts";
import type { Session } from "./session.ts";
import type { CommandName } from "./setting-entry.ts";
import { spoolPlace } from "./spool-place.ts";
import { defaultStateDirectory } from "./state-directory.ts";

type OnFallback = (fallback: Fallback) => void;

/** What a command works with, and what of the settings only the wiring knows. Disposing ends threads and idle connections. */
export interface Wired<Deps> extends AsyncDisposable {
  readonly deps: Deps;
  readonly access: BrokerAccess;
}

export interface WiredRepository extends AsyncDisposable {
  readonly store: Store;
  readonly codec: SegmentCodec;
}

export async function wireBackup(
  session: Session,
  report: (event: BackupEvent) => void,
): Promise<Wired<BackupDeps>> {
  const broker = await wireBroker(session);
  const writing = await wireWriting(session);
  return {
    access: broker.access,
    deps: { ...writing, directory: broker.directory, reader: broker.reader, report },
    [Symbol.asyncDispose]: async () => {
      broker[Symbol.dispose]();
      await writing.codec[Symbol.asyncDispose]();
    },
  };
}

/** What it takes to put a backup to targets. */
async function wireWriting({ settings }: Session) {
  const [{ localSpool, sweepDeadSpools }, { threadedCodec }, run, stores] = await Promise.all([
    import("../adapters/archive/local-spool.ts"),
    import("../adapters/codec/threaded-codec.ts"),
    wireRun(),
    wireStores(settings.target),
  ]);
  const { directory, ...options } = spoolPlace(settings);
  await sweepDeadSpools(directory, options);
  return {
    stores,
    openSpool: () => localSpool(directory, options),
    codec: threadedCodec({ level: settings.compressionLevel }),
    newRepositoryId: () => randomUUID(),
    ...run,
  };
}

export async function wireCheck(session: Session): Promise<Wired<CheckDeps>> {
  const broker = await wireBroker(session);
  return {
    access: broker.access,
    deps: { directory: broker.directory, reader: broker.reader },
    [Symbol.asyncDispose]: async () => Promise.resolve(broker[Symbol.dispose]()),
  };
}

export async function wireRestore(
  session: Session,
  report: (event: RestoreEvent) => void,
  onFallback: OnFallback,
): Promise<Wired<RestoreDeps>> {
  const [{ openQueueWriter }, { fileStore }, broker, repository] = await Promise.all([
    import("../adapters/amqp/queue-writer.ts"),
    import("../adapters/store/file-store.ts"),
    wireBroker(session),
    wireRepository(session, session.settings.target, onFallback),
  ]);
  return {
    access: broker.access,
    deps: {
      store: repository.store,
      codec: repository.codec,
      directory: broker.directory,
      reader: broker.reader,
      openWriter: async (vhost, options) => openQueueWriter({ ...endpointOf(broker.access), vhost }, options),
      journals: fileStore(session.settings.stateDir ?? defaultStateDirectory(session.env), { create: true }),
      now: () => new Date(),
      sleep: (ms, signal) => sleep(ms, signal),
      deadline: (ms) => AbortSignal.timeout(ms),
      report,
    },
    [Symbol.asyncDispose]: async () => {
      broker[Symbol.dispose]();
      await repository[Symbol.asyncDispose]();
    },
  };
}

/** Around every command: what a run tells others. */
export async function wireReport(
  command: CommandName,
  { settings, output, signal }: Session,
  complain: (error: unknown) => void,
): Promise<RunReport> {
  const [{ RunReport: Report }, { sendPing }, { readWhole, writeWhole }] = await Promise.all([
    import("./run-report.ts"),
    import("../adapters/monitoring/ping.ts"),
    import("../adapters/monitoring/text-file.ts"),
  ]);
  const deps: ReportDeps = {
    now: () => new Date(),
    ping: sendPing,
    read: readWhole,
    write: writeWhole,
    warn: (message) => output.warn(message),
    complain,
  };
  return new Report(deps, command, settings, signal);
}

export interface WiredCompact extends AsyncDisposable {
  readonly deps: CompactDeps;
}

export async function wireCompact(
  session: Session,
  report: (event: CompactEvent) => void,
): Promise<WiredCompact> {
  const writing = await wireWriting(session);
  return {
    deps: { ...writing, report },
    [Symbol.asyncDispose]: async () => writing.codec[Symbol.asyncDispose](),
  };
}

/** Targets alone: their documents, no messages. */
export async function wireStores(targets: readonly string[]): Promise<readonly [Store, ...Store[]]> {
  const [first = ".", ...others] = targets;
  return [await openStore(first), ...(await Promise.all(others.map(openStore)))];
}

/** By what the target's URL begins with; the S3 client is loaded for those who use it. */
async function openStore(target: string): Promise<Store> {
  if (isS3Target(target)) {
    const { s3Store } = await import("../adapters/store/s3-store.ts");
    return s3Store(parseS3Location(target));
  }
  const { fileStore } = await import("../adapters/store/file-store.ts");
  return fileStore(target);
}

export async function wireDrill(
  session: Session,
  report: (event: DrillEvent) => void,
  onFallback: OnFallback,
): Promise<Wired<DrillDeps>> {
  const [{ openQueueWriter }, { scratchVhosts }, { managementDirectory }, run, broker, repository] =
    await Promise.all([
      import("../adapters/amqp/queue-writer.ts"),
      import("../adapters/management/scratch-vhosts.ts"),
      import("../adapters/management/broker-directory.ts"),
      wireRun(),
      wireBroker(session),
      wireRepository(session, session.settings.target, onFallback),
    ]);
  const { access } = broker;
  const management = { urls: access.managementUrls ?? [], tls: access.tls };
  const directory = managementDirectory(management);
  const scratch = scratchVhosts(management, access.user);
  return {
    access,
    deps: {
      store: repository.store,
      codec: repository.codec,
      directory,
      reader: broker.reader,
      openWriter: async (vhost, options) => openQueueWriter({ ...endpointOf(access), vhost }, options),
      scratch,
      newRunId: () => randomBytes(8).toString("hex"),
      ...run,
      deadline: (ms) => AbortSignal.timeout(ms),
      report,
    },
    [Symbol.asyncDispose]: async () => {
      scratch[Symbol.dispose]();
      directory[Symbol.dispose]();
      broker[Symbol.dispose]();
      await repository[Symbol.asyncDispose]();
    },
  };
}

/** The first target to read from, the others to write to. */
export async function wireCopy(
  targets: readonly string[],
  report: (event: CopyEvent) => void,
): Promise<CopyDeps> {
  const [[source, ...destinations], run] = await Promise.all([wireStores(targets), wireRun()]);
  return { source, destinations, newRepositoryId: randomUUID, ...run, report };
}

/** One target, to remove from. */
export async function wirePrune(target: string, report: (event: PruneEvent) => void): Promise<PruneDeps> {
  const [[store], run] = await Promise.all([wireStores([target]), wireRun()]);
  return { store, ...run, report };
}

/** What a run needs to hold a lease. */
async function wireRun() {
  const { RUNS } = await import("../adapters/process/runs.ts");
  return {
    runs: RUNS,
    now: () => new Date(),
    sleep: async (ms: number, signal: AbortSignal) => sleep(ms, signal),
  };
}

/** To read from the first target, and what that has not whole from the next one that has. */
export async function wireRepository(
  session: Session,
  targets: readonly string[],
  onFallback: OnFallback,
): Promise<WiredRepository> {
  const [store, { threadedCodec }] = await Promise.all([
    wireCopies(targets, onFallback),
    import("../adapters/codec/threaded-codec.ts"),
  ]);
  const codec = threadedCodec({ level: session.settings.compressionLevel });
  return {
    store,
    codec,
    [Symbol.asyncDispose]: async () => codec[Symbol.asyncDispose](),
  };
}

/** The same without what opens archives: for documents. */
export async function wireCopies(targets: readonly string[], onFallback: OnFallback): Promise<Store> {
  const { withCopies } = await import("../adapters/store/with-copies.ts");
  return withCopies(await wireStores(targets), onFallback);
}

/** What `--where` says; null: nothing. Throws USAGE. */
export async function wireFilter({ settings: { where } }: Session): Promise<MessageFilter | null> {
  if (where === null) return null;
  const { celFilter } = await import("../adapters/expression/cel-filter.ts");
  return celFilter(where);
}

interface Broker extends Disposable {
  readonly access: BrokerAccess;
  readonly directory: BrokerDirectory | null;
  readonly reader: QueueReader;
}

async function wireBroker(session: Session): Promise<Broker> {
  const access = await brokerAccess(session.settings);
  for (const secret of access.secrets) session.keepSecret(secret);
  const [{ amqpQueueReader }, { managementDirectory }] = await Promise.all([
    import("../adapters/amqp/queue-reader.ts"),
    import("../adapters/management/broker-directory.ts"),
  ]);
  const directory =
    access.managementUrls === null
      ? null
      : managementDirectory({ urls: access.managementUrls, tls: access.tls });
  return {
    access,
    directory,
    reader: amqpQueueReader(endpointOf(access)),
    [Symbol.dispose]: () => directory?.[Symbol.dispose](),
  };
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
