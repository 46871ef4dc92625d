import { setTimeout as delay } from "node:timers/promises";
import { inlineCodec } from "../../src/adapters/codec/inline-codec.ts";
import { managementDirectory } from "../../src/adapters/management/broker-directory.ts";
import { openQueueWriter, type QueueWriterOptions } from "../../src/adapters/amqp/queue-writer.ts";
import type { Definitions } from "../../src/domain/definitions.ts";
import type { Store } from "../../src/ports/store.ts";
import { createCatalog } from "../../src/repository/catalog.ts";
import { restore } from "../../src/usecases/restore.ts";
import type {
  RestoreCommand,
  RestoreDeps,
  RestoreEvent,
  RestoreResult,
} from "../../src/usecases/restore-types.ts";
import { memoryStore, type MemoryStore } from "../fakes/memory-store.ts";
import { COMMAND, NOW } from "../fakes/restore-lab.ts";
import { writeBackup, type SampleQueue } from "../fakes/sample-backup.ts";
import { CAREFUL } from "./queue-info.ts";
import { labReader } from "./read.ts";
import type { LabVhost } from "./vhost.ts";

export interface LabRestoreOptions {
  readonly limits?: NonNullable<QueueWriterOptions["limits"]>;
  /** Name and password. */
  readonly user?: string;
  /** AMQP alone. */
  readonly withoutManagement?: boolean;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RestoreEvent) => void;
  /** Awaited before each segment is fetched, with how many were before. */
  readonly beforeSegment?: (fetched: number) => Promise<void>;
  /** In place of the broker's own, without credentials: a proxy. */
  readonly amqpUrl?: string;
}

/** A backup in memory with these queues of virtual host `/`, and restores of it into a lab broker. */
export interface LabBackup {
  readonly store: MemoryStore;
  restore(
    vhost: LabVhost,
    command?: Partial<RestoreCommand>,
    options?: LabRestoreOptions,
  ): Promise<RestoreResult>;
}

export async function labBackup(
  queues: readonly SampleQueue[],
  more: { readonly definitions?: readonly Definitions[] } = {},
): Promise<LabBackup> {
  const store = memoryStore();
  const catalog = await createCatalog(store, { now: NOW, repositoryId: "lab" });
  const sizes = { segmentBytes: 256 * 1024, volumeBytes: 4 * 1024 * 1024, entryBytes: 64 * 1024 };
  await writeBackup(catalog, { now: NOW, queues, ...sizes, ...more });
  const journals = memoryStore("journals");
  return {
    store,
    async restore(vhost, command = {}, options = {}) {
      const deps = depsOf(vhost, { store: awaiting(store, options.beforeSegment), journals }, options);
      const signal = options.signal ?? new AbortController().signal;
      const reading = { policy: CAREFUL, maxHoldMs: 60_000 };
      return restore(deps, { ...COMMAND, reading, toVhost: vhost.name, ...command }, signal);
    },
  };
}

function depsOf(
  { broker }: LabVhost,
  stores: Pick<RestoreDeps, "store" | "journals">,
  options: LabRestoreOptions,
): RestoreDeps {
  const amqp = credentials(options.amqpUrl ?? broker.amqpUrl, options.user);
  const management = credentials(broker.managementUrl, options.user ?? broker.username);
  return {
    ...stores,
    codec: inlineCodec({ level: 3 }),
    openWriter: async (name, { signal }) =>
      openQueueWriter(
        {
          urls: [amqp],
          vhost: name,
          tls: {},
          auth: "plain",
          heartbeatSeconds: 10,
          connectionName: "mqbackup test",
          connectTimeoutMs: 10_000,
        },
        { ...(signal && { signal }), ...(options.limits && { limits: options.limits }) },
      ),
    directory: options.withoutManagement === true ? null : managementDirectory({ urls: [management] }),
    reader: labReader(broker, amqp),
    now: () => new Date(),
    sleep: async (ms) => delay(ms),
    deadline: (ms) => AbortSignal.timeout(ms),
    report: options.onEvent ?? (() => undefined),
  };
}

function awaiting(store: Store, before: LabRestoreOptions["beforeSegment"]): Store {
  let fetched = 0;
  return {
    ...store,
    get: async function* get(key, options) {
      if (options?.range) await before?.(fetched++);
      yield* store.get(key, options);
    },
  };
}

function credentials(address: string, user: string | undefined): string {
  const url = new URL(address);
  if (user !== undefined) {
    url.username = user;
    url.password = user;
  }
  return url.href;
}
